from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from localcloud.fake.xml import Ready, items, moment, reply, xml


def test_values_become_elements():
    made = xml(
        {
            "text": "a<b&c",
            "number": 7,
            "yes": True,
            "no": False,
            "nothing": None,
            "empty": "",
            "list": [{"a": 1}, "b"],
            "map": {"inner": "x"},
            "ready": Ready("<as-it-is/>"),
        }
    )
    assert made == (
        "<text>a&lt;b&amp;c</text><number>7</number><yes>true</yes><no>false</no><empty></empty>"
        "<list><item><a>1</a></item><item>b</item></list><map><inner>x</inner></map>"
        "<ready><as-it-is/></ready>"
    )
    assert items(["<a/>", "<b/>"]) == "<item><a/></item><item><b/></item>"


def test_a_reply_is_a_document_of_its_action():
    root = ET.fromstring(reply("StopInstances", {"return": True}).body)
    assert root.tag == "{http://ec2.amazonaws.com/doc/2016-11-15/}StopInstancesResponse"
    assert [child.tag.rpartition("}")[2] for child in root] == ["requestId", "return"]


def test_a_time_is_in_ec2s_form():
    assert moment(1_800_000_000.5) == "2027-01-15T08:00:00.000Z"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_any_text_comes_back(text):
    assert ET.fromstring(f"<r>{xml({'v': text})}</r>").findtext("v") == text
