"""What moto would make up: refused, so that nobody builds on an answer that is not AWS's."""

from __future__ import annotations

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import Rule


class NoSpot(Rule):
    """Spot requests, fleets and prices are refused: moto grants all at once, for nothing.

    A launch with spot market options is refused too: its answer would lack the request's id.
    """

    name = "no-spot"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html"
    actions = frozenset(
        {
            "CreateFleet",
            "DescribeSpotPriceHistory",
            "RequestSpotFleet",
            "RequestSpotInstances",
            "RunInstances",
        }
    )

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        if call.action != "RunInstances" or "InstanceMarketOptions" in call.params:
            raise Refusal("UnsupportedOperation", f"{call.action}: spot is not simulated here")
        return call
