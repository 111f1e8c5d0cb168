"""Pages, page tokens and how many filter values a describe may have."""

from __future__ import annotations

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import EVERY, Rule

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
LEAST, PAGE = 5, 1000
_LARGEST = {"DescribeInstanceTypes": 100}
_WHOLE = {
    "DescribeInstances": ("InstanceIds", "instancesSet"),
    "DescribeVolumes": ("VolumeIds", "volumeSet"),
}
FILTER_VALUES = 200
_MOTO_PAGE = 100


def page_verdict(action: str, size: int | None) -> Refusal | None:
    """A page has 5 to 1000 entries (instance types: to 100)."""
    largest = _LARGEST.get(action, PAGE)
    if size is None or LEAST <= size <= largest:
        return None
    said = f"greater than {LEAST}" if size < LEAST else f"less than {largest}"
    text = f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value {said}."
    return Refusal("InvalidParameterValue", text)


class PageSizes(Rule):
    """MaxResults outside 5-1000 is refused."""

    name = "page-sizes"
    document = _API + "API_DescribeInstances.html"
    actions = EVERY

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        if call.describing and "MaxResults" in call.params:
            refusal = page_verdict(call.action, call.params.number("MaxResults"))
            if refusal is not None:
                raise refusal
        return call


def whole_verdict(call: Call) -> Refusal | None:
    """Instances and volumes that are named come whole: no page is cut of them."""
    ids, name = _WHOLE.get(call.action, ("", ""))
    if not ids or ids not in call.params or "MaxResults" not in call.params:
        return None
    text = f"The parameter {name} cannot be used with the parameter maxResults"
    return Refusal("InvalidParameterCombination", text)


class NamedWhole(Rule):
    """Ids of instances or volumes and MaxResults in one call are refused."""

    name = "named-whole"
    document = _API + "API_DescribeVolumes.html"
    actions = frozenset(_WHOLE)

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        refusal = whole_verdict(call)
        if refusal is not None:
            raise refusal
        return call


class FilterValues(Rule):
    """At most 200 filter values in one call."""

    name = "filter-values"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html"
    actions = EVERY

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        given = sum(len(one.texts("Values")) for one in call.params.structs("Filters"))
        if call.describing and given > FILTER_VALUES:
            text = (
                f"The maximum number of filter values specified on a single call is {FILTER_VALUES}"
            )
            raise Refusal("FilterLimitExceeded", text)
        return call


class InstancePages(Rule):
    """DescribeInstances pages at 1000, takes ids as a whole and once each, knows its tokens."""

    name = "instance-pages"
    document = _API + "API_DescribeInstances.html"
    actions = frozenset({"DescribeInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        ids = tuple(dict.fromkeys(call.params.texts("InstanceIds")))
        token = call.params.text("NextToken")
        if token and token not in cloud.backend(call).reservations:
            raise Refusal("InvalidNextToken", "The specified NextToken is not valid.")
        if not ids and "MaxResults" not in call.params:
            return call.altered(MaxResults=PAGE)
        if len(ids) > _MOTO_PAGE and all(cloud.exists(call, i) for i in ids):
            filters = [dict(one.values) for one in call.params.structs("Filters")]
            filters.append({"Name": "instance-id", "Values": list(ids)})
            return call.altered(InstanceIds=None, Filters=filters, MaxResults=PAGE)
        return call.altered(InstanceIds=list(ids)) if ids else call
