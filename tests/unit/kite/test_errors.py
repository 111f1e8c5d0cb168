"""The tree of failures is whole and speaks for itself."""

import re

import pytest

from kite import errors


@pytest.mark.parametrize("kind", errors.KINDS.values(), ids=errors.KINDS)
def test_every_failure_has_a_stable_reason_of_its_own_form(kind):
    failure = kind("what happened")
    assert re.fullmatch(r"[A-Z][A-Z_]+", failure.reason)
    assert str(failure) == f"{failure.reason}: what happened"


@pytest.mark.parametrize("kind", errors.KINDS.values(), ids=errors.KINDS)
def test_every_failure_is_drawn_in_the_tree(kind):
    assert errors.__doc__ is not None
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__)


def test_a_failure_without_a_sentence_is_its_reason():
    assert str(errors.NotFound()) == "NOT_FOUND"


def test_a_failure_keeps_what_it_was_given():
    context = {"a": "b"}
    failure = errors.OverLimit("d", reason="R", field="/f", retry_after=3, context=context)
    context["a"] = "changed"
    assert (failure.reason, failure.field, failure.retry_after) == ("R", "/f", 3)
    assert failure.context == {"a": "b"}
