"""ARCHITECTURE.md names every file, and no file that is gone."""

from tests.house import listing, tree


def test_every_file_is_listed():
    page = listing.on_page(tree.text(listing.PAGE))
    now = listing.listed()
    assert page.keys() == now.keys(), "run `make docs`"
    assert {f: page[f] for f in now if page[f] != now[f]} == {}, "run `make docs`"


def test_the_generator_and_the_reader_agree():
    page = f"{listing.BEGIN}\n{listing.rendered()}{listing.END}"
    assert listing.on_page(page) == listing.listed()
