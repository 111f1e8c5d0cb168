"""`python -m localcloud.fake`: the fake EC2 as a process of its own, with machines in it."""

from __future__ import annotations

import argparse
import threading

from localcloud.fake.people import populate
from localcloud.fake.server import running


def main() -> None:
    """Print the endpoint, then serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 = a free one")
    parser.add_argument("--nodes", type=int, default=0, help="how many machines run already")
    parser.add_argument("--disks", action="store_true", help="tag their disks too")
    asked = parser.parse_args()
    with running(listen=[("127.0.0.1", asked.port)]) as api:
        populate(api, asked.nodes, disks=asked.disks)
        api.calls.clear()
        print(api.endpoint, flush=True)  # noqa: T201 - the endpoint is this command's result
        threading.Event().wait()


if __name__ == "__main__":
    main()
