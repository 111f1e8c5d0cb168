"""Users open two ports and never any other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite import ports
from kite.errors import InvalidRequest
from kite.ports import PortType


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("milvus-port", PortType.MILVUS),
        ("miluvs-port", PortType.MILVUS),
        ("milvus-em-port", PortType.MILVUS_EM),
        ("miluvs-em-port", PortType.MILVUS_EM),
    ],
)
def test_the_seeds_spellings_are_read(text, kind):
    assert ports.port_type(text) is kind


@pytest.mark.parametrize("text", ["", "ssh", "Milvus-Port", "19530", "milvus-port ", "22"])
def test_other_words_are_refused_and_the_right_ones_named(text):
    with pytest.raises(InvalidRequest) as refused:
        ports.port_type(text, field="/ip-ranges/0")
    assert refused.value.reason == "UNKNOWN_PORT_TYPE"
    assert refused.value.field == "/ip-ranges/0"
    assert "milvus-port" in refused.value.description


def test_every_type_has_a_number_and_none_is_forbidden():
    table = ports.numbers()
    assert set(table) == set(PortType)
    assert table == {PortType.MILVUS: 19530, PortType.MILVUS_EM: 3000}
    assert not ports.FORBIDDEN & set(table.values())


@given(st.integers(min_value=1, max_value=65535))
def test_no_setting_leads_a_port_type_to_a_forbidden_port(web_gui):
    try:
        table = ports.numbers(web_gui=web_gui)
    except ValueError as refused:
        assert str(web_gui) in str(refused)  # noqa: PT017 - either outcome is right, by the port
        assert web_gui in ports.FORBIDDEN | {ports.MILVUS_PORT}
        return
    assert not ports.FORBIDDEN & set(table.values())


@pytest.mark.parametrize("port", sorted(ports.FORBIDDEN))
def test_each_forbidden_port_is_refused(port):
    with pytest.raises(ValueError, match=str(port)):
        ports.numbers(web_gui=port)


def test_the_design_names_these_ports_as_never_open():
    assert {22, 2379, 9000, 9091} <= ports.FORBIDDEN
