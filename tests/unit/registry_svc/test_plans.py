"""The catalogue of plans."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kite.errors import Forbidden, InvalidRequest
from registry_svc import plan_file, plans
from registry_svc.plans import CatalogueRefused, Plan

OWN = plan_file.load()
TYPES = frozenset({"m5.large", "r5.xlarge"})
ONE_MACHINE = """
any-instance-type: {workers: 0, disk: [8, 100]}
plans:
  M5: {master: m5.large, disk: [8, 16384]}
"""
GOOD = """
any-instance-type: {workers: 1, disk: [8, 100]}
plans:
  M5: {description: one, master: m5.large, workers: 0, disk: [8, 16384]}
  Big: {master: m5.large, worker: r5.xlarge, workers: 2, disk: [20, 20]}
"""


@pytest.fixture
def own():
    return OWN


@pytest.fixture
def catalogue():
    return plans.parse(yaml.safe_load(GOOD), TYPES)


def test_the_plan_of_the_seed(own):
    for word in ("M5", "m5"):
        found = plans.find(own, word)
        assert (found.name, found.master, found.worker, found.workers) == ("M5", "m5.large", "", 0)
        assert (found.min_disk_gib, found.max_disk_gib) == (8, 16384)


def test_a_plan_with_workers(catalogue):
    assert plans.find(catalogue, "bIG") == Plan("Big", "m5.large", "r5.xlarge", 2, 20, 20)


def test_an_instance_type_is_a_plan_of_its_own(own, catalogue):
    assert plans.find(own, "R6i.XLarge") == Plan("r6i.xlarge", "r6i.xlarge", "", 0, 8, 16384)
    assert plans.find(catalogue, "m5.large") == Plan("m5.large", "m5.large", "m5.large", 1, 8, 100)


@pytest.mark.parametrize("word", ["", "M6", "m5.huge", "M5 ", "{{ 7*7 }}", "x" * 500, "ｍ５"])
def test_an_unknown_type_is_refused_with_the_names_there_are(own, word):
    with pytest.raises(InvalidRequest) as caught:
        plans.find(own, word)
    refused = caught.value
    assert (refused.reason, refused.field) == ("UNKNOWN_TYPE", "/milvus-type")
    assert "M5" in refused.description
    assert "M5" in refused.context["plans"].split(", ")
    assert len(refused.description) < 300


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"plans": None}, "plans: expected names"),
        ({"plans": {}}, "at least one plan"),
        ({"plans": {5: {}}}, "plans: expected names"),
        ({"extra": 1}, "the catalogue: unknown extra"),
        ({"any-instance-type": None}, "any-instance-type: expected"),
        ({"any-instance-type": {"disk": [1, 2], "x": 1}}, "any-instance-type: unknown x"),
        ({"any-instance-type": {"disk": [0, 2]}}, "disk must be"),
        ({"any-instance-type": {"workers": -1, "disk": [1, 2]}}, "workers must be"),
        ({"plans": {"A": []}}, "plan A: expected"),
        ({"plans": {"A": {"master": "m9.x", "disk": [1, 2]}}}, "plan A: master 'm9.x' is not"),
        ({"plans": {"A": {"disk": [1, 2]}}}, "plan A: master '' is not"),
        (
            {"plans": {"A": {"master": "m5.large", "workers": 1, "disk": [1, 2]}}},
            "plan A: worker '' is not",
        ),
        (
            {"plans": {"A": {"master": "m5.large", "worker": "no", "disk": [1, 2]}}},
            "plan A: worker 'no' is not",
        ),
        ({"plans": {"A": {"master": "m5.large", "disks": [1, 2]}}}, "plan A: unknown disks"),
        ({"plans": {"A": {"master": "m5.large", "disk": [2, 1]}}}, "plan A: disk must be"),
        ({"plans": {"A": {"master": "m5.large", "disk": [True, 1]}}}, "plan A: disk must be"),
        ({"plans": {"A": {"master": "m5.large", "disk": [1, True]}}}, "plan A: disk must be"),
        ({"plans": {"A": {"master": "m5.large", "disk": 5}}}, "plan A: disk must be"),
        (
            {"plans": {"A": {"master": "m5.large", "workers": True, "disk": [1, 2]}}},
            "plan A: workers must be",
        ),
        (
            {"plans": {"A": {"master": "m5.large", "workers": "2", "disk": [1, 2]}}},
            "plan A: workers must be",
        ),
        (
            {
                "plans": {
                    "a": {"master": "m5.large", "disk": [1, 2]},
                    "A": {"master": "m5.large", "disk": [1, 2]},
                }
            },
            "plan A: the name comes twice",
        ),
    ],
)
def test_a_wrong_catalogue_is_refused_naming_the_fault(change, fault):
    with pytest.raises(CatalogueRefused, match=fault.replace("(", r"\(")):
        plans.parse(yaml.safe_load(GOOD) | change, TYPES)


@pytest.mark.parametrize("document", [None, [], "text", {"a": 1}, {1: 2}])
def test_what_is_no_catalogue_is_refused(document):
    with pytest.raises(CatalogueRefused):
        plans.parse(document, TYPES)


def test_the_file_may_be_another(tmp_path):
    file = tmp_path / "plans.yaml"
    file.write_text(ONE_MACHINE.replace("M5:", "Mine:"))
    assert plans.find(plan_file.load(file), "mine").name == "Mine"


@pytest.mark.parametrize(
    ("more", "where"), [("workers: 2, ", "plan M5"), ("", "any-instance-type")]
)
def test_workers_are_refused_until_they_are_built(tmp_path, more, where):
    file = tmp_path / "plans.yaml"
    loose = "workers: 0" if more else "workers: 1"
    text = ONE_MACHINE.replace("workers: 0", loose)
    file.write_text(text.replace("{master:", "{worker: m5.large, " + more + "master:"))
    with pytest.raises(CatalogueRefused, match=f"{where}: clusters have one machine"):
        plan_file.load(file)


@pytest.mark.parametrize("content", [None, "a: [", "plans: {}", "\0"])
def test_a_file_that_cannot_be_used_is_named(tmp_path, content):
    file = tmp_path / "plans.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CatalogueRefused, match=r"plans\.yaml"):
        plan_file.load(file)


def test_the_list_of_types_is_whole_and_sorted():
    listed = [x for x in plan_file.INSTANCE_TYPES.read_text().splitlines() if not x.startswith("#")]
    assert listed == sorted(set(listed))
    assert len(listed) > 1000
    assert {"m5.large", "t3.medium", "r6i.xlarge", "p5.48xlarge"} <= set(listed)
    assert all(x == x.lower() and x.count(".") == 1 for x in listed)


@given(st.text(max_size=80))
def test_any_text_is_a_plan_or_a_clear_refusal(text):
    try:
        found = plans.find(OWN, text)
    except InvalidRequest as refused:
        assert refused.reason == "UNKNOWN_TYPE"  # noqa: PT017 - both outcomes are fine
    else:
        assert found.master in OWN.instance_types


@pytest.mark.parametrize(
    "word", ["m5.metal", "mac1.metal", "p4d.24xlarge", "u-6tb1.metal", "m6g.large", "t3.nano"]
)
def test_some_types_are_only_for_plans_to_name(own, word):
    assert word in own.instance_types
    with pytest.raises(Forbidden) as refused:
        plans.find(own, word)
    assert (refused.value.reason, refused.value.field) == ("TYPE_NOT_ALLOWED", "/milvus-type")


def test_patterns_must_be_a_list_of_words(catalogue):
    document = yaml.safe_load(GOOD)
    document["any-instance-type"]["except"] = "m5*"
    with pytest.raises(CatalogueRefused, match="except"):
        plans.parse(document, TYPES)
    document["any-instance-type"]["except"] = ["R5.*"]
    barred = plans.parse(document, TYPES)
    with pytest.raises(Forbidden):
        plans.find(barred, "r5.xlarge")
    assert plans.find(barred, "Big").worker == "r5.xlarge"
    assert plans.find(catalogue, "r5.xlarge").master == "r5.xlarge"
