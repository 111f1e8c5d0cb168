from localcloud.strict.life import CODES, FOREVER, GONE, NEXT, LifeBook, State


def test_codes_and_ways_are_those_of_the_api():
    assert CODES == {
        "pending": 0,
        "running": 16,
        "shutting-down": 32,
        "terminated": 48,
        "stopping": 64,
        "stopped": 80,
    }
    assert NEXT == {
        "pending": "running",
        "stopping": "stopped",
        "shutting-down": "terminated",
        "terminated": GONE,
    }


def test_ripe_at_its_time_and_not_before():
    book = LifeBook()
    book.begin("i-1", State.PENDING, 10.0)
    book.begin("i-2", State.PENDING, FOREVER)
    assert book.ripe(9.9) == []
    assert book.ripe(10.0) == [("i-1", State.RUNNING)]
    book.end("i-1")
    book.end("i-1")
    assert book.ripe(1e12) == []
    book.begin("i-2", State.TERMINATED, 0.0)
    assert book.ripe(0.0) == [("i-2", GONE)]
    book.clear()
    assert book.ripe(0.0) == []
