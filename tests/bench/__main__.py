"""`make bench`: measure against the peers, print one table, write .run/bench.json.

ARGS="ec2 process install" chooses; all by default. Absolute times are this machine's; the bars are
ratios of what was measured side by side in the same run, or counts.
"""

import sys

from tests.bench import ec2_rows, install_rows, process_rows, rows

GROUPS = {"ec2": ec2_rows.measure, "process": process_rows.measure, "install": install_rows.measure}


def main(chosen):
    unknown = [name for name in chosen if name not in GROUPS]
    if unknown:
        sys.exit(f"no such group: {', '.join(unknown)} (choose from {', '.join(GROUPS)})")
    found = []
    if not chosen:
        found.append(rows.not_measured("P26", "no such bar", "the reference ends with P25"))
    for name in chosen or GROUPS:
        sys.stderr.write(f"bench: {name}\n")
        found += GROUPS[name]()
        rows.write(found)
    rows.show(found)
    missed = [row.id for row in found if not row.ok]
    sys.stderr.write(f"bench: {len(found) - len(missed)} of {len(found)} rows keep their bar\n")


if __name__ == "__main__":
    main(sys.argv[1:])
