"""All rules in the order they are asked, each by its name, each switchable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from localcloud.strict.call import Call, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import EVERY, Rule
from localcloud.strict.rules import (
    addresses,
    capacity,
    changes,
    group_rules,
    groups,
    ids,
    interfaces,
    launches,
    lifetimes,
    lists,
    naming,
    offerings,
    paging,
    peerings,
    states,
    subnets,
    tags,
    throttling,
    times,
    tokens,
    unsimulated,
    visibility,
    volumes,
)

# Request limits, shapes and sizes, tokens, then what needs the cloud's state. Rules that rewrite a
# call come late: a token is compared with what the client sent.
_ORDER: tuple[Callable[[], Rule], ...] = (
    throttling.RequestRates,
    ids.MalformedIds,
    paging.PageSizes,
    paging.NamedWhole,
    paging.FilterValues,
    lists.ListPages,
    tags.TagLimits,
    naming.GroupNames,
    naming.RuleDescriptions,
    naming.KeyNames,
    group_rules.PortRanges,
    volumes.VolumeSizes,
    interfaces.LaunchShape,
    launches.UserData,
    unsimulated.NoSpot,
    tokens.ClientTokens,
    tokens.TokenFilter,
    ids.UnknownInstances,
    tags.TaggedThings,
    tags.TagsEnd,
    naming.KeyPairIds,
    offerings.Offerings,
    launches.InstanceTypes,
    launches.Images,
    launches.LaunchKeys,
    groups.GroupsPerInterface,
    groups.GroupInUse,
    groups.InterfaceInUse,
    groups.NewGroupTags,
    group_rules.DuplicateRules,
    group_rules.RuleLimit,
    group_rules.WholeRevoke,
    states.PowerStates,
    states.Reboots,
    states.ModifyStates,
    volumes.VolumeGrowth,
    changes.ModifyCooldown,
    changes.Optimizing,
    volumes.Attaching,
    volumes.Detaching,
    peerings.PeeringTwice,
    peerings.PeeringOverlap,
    peerings.BlackholeRoutes,
    capacity.VcpuQuota,
    capacity.Capacity,
    throttling.ResourceRates,
    visibility.VisibilityDelay,
    visibility.TagLag,
    addresses.AddressQuota,
    addresses.AssociateStates,
    addresses.GatewayAttached,
    addresses.Association,
    addresses.ReleaseStates,
    group_rules.CanonicalCidrs,
    launches.LaunchCounts,
    interfaces.DefaultSubnet,
    subnets.SubnetZone,
    subnets.PrivateAddresses,
    volumes.RootVolume,
    interfaces.InterfaceTags,
    interfaces.InterfacesEnd,
    paging.InstancePages,
    interfaces.TerminatedIsBare,
    interfaces.InstanceGroups,
    addresses.PublicNames,
    times.OneClock,
    lifetimes.InstanceLifetimes,
    addresses.AddressesOutlive,
)


def every_rule() -> list[Rule]:
    """Fresh rules, in the order in which a call meets them."""
    return [make() for make in _ORDER]


class Chain:
    """Runs a call through the rules that are on, with moto at the end."""

    def __init__(self, rules: Sequence[Rule], cloud: Cloud) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._off: set[str] = set()
        self._cloud = cloud
        self._by_action: dict[str, list[Rule]] = {}

    @property
    def names(self) -> list[str]:
        return list(self._rules)

    def documents(self) -> dict[str, str]:
        """Rule name to the AWS document behind it."""
        return {rule.name: rule.document for rule in self._rules.values()}

    def install(self) -> None:
        """Let rules reach into moto; those first in the list stand outermost."""
        for rule in reversed(self._on()):
            rule.install(self._cloud)

    def remove(self) -> None:
        for rule in self._on():
            rule.remove(self._cloud)

    def reset(self) -> None:
        for rule in self._rules.values():
            rule.reset()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Switch rules off for a while: how a test shows that it depends on one."""
        self._switch(names, off=True)
        try:
            yield
        finally:
            self._switch(names, off=False)

    def _switch(self, names: Iterable[str], *, off: bool) -> None:
        known = {self._rules[name].name for name in names}
        with self._cloud.lock:
            self.remove()
            self._off = self._off | known if off else self._off - known
            self.install()
            self._by_action.clear()

    def _on(self) -> list[Rule]:
        return [rule for rule in self._rules.values() if rule.name not in self._off]

    def _for(self, action: str) -> list[Rule]:
        if action not in self._by_action:
            self._by_action[action] = [
                rule for rule in self._on() if action in rule.actions or rule.actions == EVERY
            ]
        return self._by_action[action]

    def run(self, call: Call, cloud: Cloud) -> Reply:
        """Ask every rule, then moto, then tell every rule what came of the call it saw."""
        asked: list[tuple[Rule, Call]] = []
        for rule in self._for(call.action):
            asked.append((rule, call))
            answer = rule.before(call, cloud)
            if isinstance(answer, Reply):
                return answer
            call = answer
        reply = cloud.forward(call)
        if reply.code == "OK":
            for rule, seen in asked:
                reply = rule.after(seen, reply, cloud)
        return reply
