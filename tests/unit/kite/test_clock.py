"""The real clock tells the time in the units it promises."""

import time

from kite.clock import SystemClock


def test_the_wall_clock_is_epoch_milliseconds():
    before = time.time_ns() // 1_000_000
    assert before <= SystemClock().now_ms() <= time.time_ns() // 1_000_000


def test_the_other_clock_never_jumps_back():
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
