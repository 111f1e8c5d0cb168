from hypothesis import given
from hypothesis import strategies as st

from localcloud.strict.call import Call, Params, walk
from localcloud.strict.calls import CallLog, summary_of


def call(action, **values):
    return Call(action, Params(values), "123456789012", "us-east-1")


def test_what_only_reads():
    reading = ("DescribeInstances", "GetConsoleOutput", "ListImages", "SearchLocalGatewayRoutes")
    assert all(call(action).describing for action in reading)
    assert not call("RunInstances").describing


def test_params_by_kind():
    params = Params(
        {"A": "x", "N": 7, "F": True, "L": ["a", 1], "S": {"T": "y"}, "P": [{"Q": "z"}]}
    )
    assert (params.text("A"), params.text("N"), params.text("none")) == ("x", "7", "")
    assert (params.number("N"), params.number("none")) == (7, None)
    assert (params.flag("F"), params.flag("A")) == (True, False)
    assert (params.texts("L"), params.texts("none")) == (("a", "1"), ())
    assert params.struct("S").text("T") == "y"
    assert [one.text("Q") for one in params.structs("P")] == ["z"]
    assert "A" in params
    assert "none" not in params


def test_altering_leaves_the_call_as_it_was():
    first = call("X", A=1, B=2)
    second = first.altered(A=None, C=3)
    assert dict(first.params.values) == {"A": 1, "B": 2}
    assert dict(second.params.values) == {"B": 2, "C": 3}
    assert dict(first.only(Z=1).params.values) == {"Z": 1}
    assert call("X", DryRun=True).dry


def test_walk_names_scalars_by_their_list():
    value = {"A": ["x", "y"], "B": [{"C": 1}], "D": {"E": [2]}}
    assert list(walk(value)) == [("A", "x"), ("A", "y"), ("C", 1), ("E", 2)]


def test_the_summary_holds_no_secret_and_is_short():
    said = summary_of(call("X", UserData="s3cret", PublicKeyMaterial=b"key", ImageId="ami-1"))
    assert said == "ImageId=ami-1"
    assert len(summary_of(call("X", A="y" * 999))) == 300


def test_counting():
    log = CallLog()
    log.note(call("RunInstances"), 1.0, "OK")
    log.note(call("DescribeInstances"), 2.0, "OK")
    mark = log.last
    log.note(call("DescribeInstances"), 3.0, "Oops")
    assert (log.count(), log.count("DescribeInstances"), log.count("Other")) == (3, 2, 0)
    assert (log.writing, log.describing) == (1, 2)
    assert log.by_action() == {"RunInstances": 1, "DescribeInstances": 2}
    assert [(s.at, s.code) for s in log.all(since=mark)] == [(3.0, "Oops")]
    assert [s.number for s in log.all(action="RunInstances")] == [1]
    log.clear()
    assert (log.count(), log.all(), log.last) == (0, [], 3)


@given(st.lists(st.sampled_from(["RunInstances", "DescribeVpcs", "CreateTags"]), max_size=30))
def test_counts_add_up(actions):
    log = CallLog()
    for action in actions:
        log.note(call(action), 0.0, "OK")
    assert log.count() == len(actions) == log.writing + log.describing
    assert sum(log.by_action().values()) == len(log.all())
