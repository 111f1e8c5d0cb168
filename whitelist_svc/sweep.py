"""The sweep of what this service owns: security groups that no cluster stands for any more."""

from __future__ import annotations

from collections.abc import Iterable

from kite import refusals, tags
from kite.errors import KiteError
from kite.sweep import Kind, Known, Live, Look, Thing
from kite.sweeping import time_of
from kite.v1 import cluster_pb2
from whitelist_svc import sight
from whitelist_svc.ec2 import Ec2, code_of
from whitelist_svc.groups import Group
from whitelist_svc.session import Session, answers


class SweepCloud:
    """The groups of one install; raises KiteError."""

    def __init__(self, session: Session, ec2: Ec2, install: str) -> None:
        self._session = session
        self._ec2 = ec2
        self._filters = [{"Name": f"tag:{tags.INSTALL}", "Values": [install]}]

    async def look(self) -> Look:
        """Every group to the last page, with EC2's time at the first."""
        things, told = list[Thing](), 0
        listing = answers(self._session, "describe_security_groups", Filters=self._filters)
        async for page in listing:
            told = told or time_of(page)
            things += [thing(sight.group(one)) for one in page["SecurityGroups"]]
        return Look(told, tuple(things))

    async def remove(self, thing: Thing) -> None:
        """Close it first: it may hang on a machine that is still there and holds it back."""
        try:
            if rules := await self._ec2.held(thing.id):
                await self._ec2.revoke(thing.id, [one.rule_id for one in rules])
            await self._ec2.delete(thing.id)
        except KiteError as refused:
            if not refusals.gone(code_of(refused)):
                raise


def thing(group: Group) -> Thing:
    """A group as the sweep sees it; EC2 tells no age."""
    owner = group.owner
    return Thing(Kind.GROUP, group.group_id, owner.install, owner.cluster_id, name=group.name)


def read(clusters: Iterable[cluster_pb2.Cluster]) -> Live:
    """Clusters of the registry; groups need no more than that they live."""
    return Live({one.cluster_id: Known(one.cluster_id) for one in clusters})
