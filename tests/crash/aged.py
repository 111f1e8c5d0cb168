"""`python -m tests.crash.aged FILE`: the strict EC2 ahead of time by the seconds in the file.

Whoever writes a greater number there makes all that is older: it is judged by EC2's own clock.
"""

import sys
import time
from pathlib import Path

from tests.chaos import ec2

if __name__ == "__main__":
    ahead = Path(sys.argv[1])
    ec2.main(lambda: time.time() + float(ahead.read_text()))
