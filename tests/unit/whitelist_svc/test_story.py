from kite.ports import PortType
from whitelist_svc import story
from whitelist_svc.change import Applied, Held, Key
from whitelist_svc.rules import Entry


def held(cidr, *, key=True):
    return Held("sgr", Key(cidr, 19530) if key else None, f"{cidr} tcp 19530", True, True, False)


A, B = Key("1.1.1.1/32", 19530), Key("2.2.2.2/32", 19530)
GONE = Entry("3.3.3.3/32", PortType.MILVUS, "", 5)


def mended(granted=(), revoked=(), expired=(), *, late=False):
    applied = Applied((), tuple(granted), tuple(revoked))
    return [
        (t.type, t.description, dict(t.details))
        for t in story.mended(applied, expired=expired, late=late)
    ]


def test_nothing_done_is_nothing_told():
    assert mended() == []


def test_drift_names_what_was_put_right():
    ((kind, text, details),) = mended([A], [held("9.9.9.9/32"), held("sg-1", key=False)])
    assert kind == "WhitelistDrift"
    assert text.endswith(
        "opened 1.1.1.1/32 port 19530; closed 9.9.9.9/32 tcp 19530, sg-1 tcp 19530."
    )
    assert details == {"granted": "1", "revoked": "2"}


def test_a_late_wish_is_not_called_drift():
    assert [kind for kind, _, _ in mended([A], late=True)] == ["WhitelistApplied"]


def test_closing_what_expired_is_not_called_drift():
    assert mended([], [held("3.3.3.3/32")], [GONE]) == [
        ("WhitelistExpired", "Time is over for 3.3.3.3/32 milvus-port.", {"entries": "1"})
    ]


def test_expiry_and_drift_in_one_turn_are_both_told():
    kinds = [kind for kind, _, _ in mended([], [held("3.3.3.3/32"), held("4.4.4.4/32")], [GONE])]
    assert kinds == ["WhitelistExpired", "WhitelistDrift"]


def test_long_lists_are_cut():
    keys = [Key(f"10.0.0.{n}/32", 19530) for n in range(13)]
    (told,) = mended(keys)
    assert told[1].endswith("10.0.0.9/32 port 19530 and 3 more.")
    assert told[2]["granted"] == "13"


def test_rules_made_by_hand():
    told = story.by_hand([held("b"), held("a")])
    assert (told.type, told.details) == ("WhitelistDrift", {"strange": "2"})
    assert "a tcp 19530, b tcp 19530" in told.description


def test_a_list_that_waits_says_why():
    told = story.waiting("EC2 refused: no", "CLOUD_PERMISSION")
    assert (told.type, told.details) == ("WhitelistWaiting", {"reason": "CLOUD_PERMISSION"})
    assert told.description.endswith("Kite goes on applying it: EC2 refused: no")
