"""Processes that write until they are killed: `python -m tests.store.writer FOLDER`.

Each line on standard input starts one. It is told as `child PID`; each further line is a write that
was acknowledged, cluster id and number of the write; `end` says that the process is dead.
"""

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

from registry_svc.embedded import Embedded
from tests.store.world import World


def write_for_ever(world, worker, acknowledge):
    """Creates, then changes, over and over; ends when the store does."""
    round_number = 0
    while True:
        round_number += 1
        name = f"n-{os.getpid()}-{worker}-{round_number}"
        record = world.create(name, user=f"user{worker}")
        acknowledge(record)
        for _ in range(3):
            record = world.store.swap(record, replace(record, due_at_ms=record.due_at_ms + 1))
            acknowledge(record)


def write(folder):
    world = World(Embedded(folder), quota=1_000_000)

    def acknowledge(record):
        os.write(1, f"{record.cluster.cluster_id} {record.writes}\n".encode())

    threads = [
        threading.Thread(target=write_for_ever, args=(world, n, acknowledge)) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    for _ in sys.stdin:
        child = os.fork()  # spares the second that the imports take
        if not child:
            write(Path(sys.argv[1]))
            os._exit(0)
        os.write(1, f"child {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"end\n")


if __name__ == "__main__":
    main()
