"""What a rule is: one AWS behaviour moto lacks, with the document that states it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localcloud.strict.call import Call, Reply

if TYPE_CHECKING:
    from localcloud.strict.cloud import Cloud

EVERY = frozenset({"*"})


class Rule:
    """Looks at a call before moto does (`before`) and at what moto did (`after`).

    `before` answers with the call to go on with, or with a reply that ends it; it raises
    Refusal to refuse. `after` runs only when moto agreed. `install` and `remove` are for
    rules that must reach into moto itself.
    """

    name: ClassVar[str]
    document: ClassVar[str]
    actions: ClassVar[frozenset[str]] = frozenset()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        return call

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:  # noqa: ARG002
        return reply

    def install(self, cloud: Cloud) -> None:
        """Reach into moto. Called under the cloud's lock when the rule is switched on."""

    def remove(self, cloud: Cloud) -> None:
        """Undo `install`."""

    def reset(self) -> None:
        """Forget everything: the cloud starts from nothing."""
