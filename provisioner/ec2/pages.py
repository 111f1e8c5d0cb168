"""Page after page of what EC2 lists."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from kite.errors import Unavailable
from provisioner.ec2.client import Ec2

MOST_PAGES = 1000


async def pages(ec2: Ec2, action: str, asked: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Every answer to the last page.

    Raises:
        KiteError: a page is missing, so the listing is not whole.
    """
    more: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        answer = await ec2.call(action, {**asked, **more})
        yield answer
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}
    raise Unavailable(f"{action}: EC2's pages do not end", reason="CLOUD_AWAY")
