"""`make bench`: measure against the peers, print one table, write .run/bench.json.

ARGS="ec2 process install prototype scale" chooses; all by default. Absolute times are this
machine's; the bars are ratios of what was measured side by side in the same run, or counts. The
reference defines P10 to P25; there is no P26.
"""

import os
import sys

from tests.bench import ec2_rows, install_rows, process_rows, prototype_rows, rows, scale_rows

BUSY = 1.5  # the bench itself keeps about one process per core running
GROUPS = {
    "ec2": ec2_rows.measure,
    "process": process_rows.measure,
    "install": install_rows.measure,
    "prototype": prototype_rows.measure,
    "scale": scale_rows.measure,
}


def main(chosen):
    unknown = [name for name in chosen if name not in GROUPS]
    if unknown:
        sys.exit(f"no such group: {', '.join(unknown)} (choose from {', '.join(GROUPS)})")
    found = []
    for name in chosen or GROUPS:
        sys.stderr.write(f"bench: {name}\n")
        found += GROUPS[name]()
        rows.write(found)
    rows.show(found)
    load, cores = os.getloadavg()[0], os.cpu_count()
    if load > cores * BUSY:
        sys.stderr.write(
            f"bench: load {load:.1f} on {cores} cores: seconds, and ratios of them, swing\n"
        )
    sys.stderr.write("bench: P26 is not defined: the reference ends with P25\n")
    missed = [row.id for row in found if not row.ok]
    sys.stderr.write(
        f"bench: {len(found) - len(missed)} of {len(found)} rows measured, no bar missed\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
