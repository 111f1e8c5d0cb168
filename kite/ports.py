"""Port types a user may open, and the ports no port type may ever reach."""

from enum import StrEnum

from kite.errors import InvalidRequest

MILVUS_PORT = 19530
WEB_GUI_PORT = 3000  # Attu; successor of Milvus EM, which the seed's milvus-em-port named
SSH_PORT = 22

# SSH, etcd, object store, management and coordinators: control plane and cluster members only
# (CVE-2026-26190: 9091 is an unauthenticated management port).
FORBIDDEN = frozenset(
    {22, 2379, 2380, 9000, 9001, 9091, 9092, 9100, 6650, 19529, 19531, 53100, 13333, 31000}
    | {21121, 21123, 21124, 22222}
)


class PortType(StrEnum):
    """The word Kite answers with; the seed's spellings are accepted beside it."""

    MILVUS = "milvus-port"
    MILVUS_EM = "milvus-em-port"


SPELLINGS = {
    "milvus-port": PortType.MILVUS,
    "miluvs-port": PortType.MILVUS,
    "milvus-em-port": PortType.MILVUS_EM,
    "miluvs-em-port": PortType.MILVUS_EM,
}


def port_type(text: str, *, field: str = "/ip-ranges") -> PortType:
    """Read a port type in any accepted spelling (case counts).

    Raises:
        InvalidRequest: UNKNOWN_PORT_TYPE.
    """
    try:
        return SPELLINGS[text]
    except KeyError:
        raise InvalidRequest(
            f"unsupported port-type; use one of {', '.join(SPELLINGS)}",
            reason="UNKNOWN_PORT_TYPE",
            field=field,
        ) from None


def numbers(*, web_gui: int = WEB_GUI_PORT) -> dict[PortType, int]:
    """Port of each type.

    Raises:
        ValueError: the configured web GUI port is one that must never be opened.
    """
    if web_gui in FORBIDDEN or web_gui == MILVUS_PORT:
        raise ValueError(f"web GUI port {web_gui} is one that users must never reach")
    return {PortType.MILVUS: MILVUS_PORT, PortType.MILVUS_EM: web_gui}
