"""Which type and zone to try next when EC2 has no capacity. Pure.

Order: every zone for the wished type, then every zone for the next equivalent type (same vCPUs,
memory and processor architecture; Amazon EC2 instance types guide), then round again.
"""

from provisioner.facts import Place
from provisioner.record import Offer

_EQUALS = (
    ("m5", "m6i", "m5a", "m6a"),
    ("c5", "c6i", "c5a", "c6a"),
    ("r5", "r6i", "r5a", "r6a"),
    ("t3", "t3a"),
)


def equivalents(instance_type: str) -> tuple[str, ...]:
    """The type itself, then those as good as it."""
    family, _, size = instance_type.partition(".")
    for families in _EQUALS:
        if family in families:
            others = [f for f in families if f != family]
            return (instance_type, *(f"{other}.{size}" for other in others))
    return (instance_type,)


def offers(instance_type: str, places: tuple[Place, ...]) -> tuple[Offer, ...]:
    """Every offer, best first; never empty when there is a place."""
    return tuple(
        Offer(kind, place.subnet_id) for kind in equivalents(instance_type) for place in places
    )


def following(known: tuple[Offer, ...], last: Offer) -> tuple[Offer, bool]:
    """The offer after `last`, and whether that begins a new round."""
    try:
        index = known.index(last) + 1
    except ValueError:
        return known[0], False  # the settings changed; start over without a pause
    return known[index % len(known)], index == len(known)
