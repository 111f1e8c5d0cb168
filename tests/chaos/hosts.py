"""What strangers do to machines: end them, cut their power, stop and start them, reboot them."""

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from botocore.exceptions import ClientError

from tests.chaos.cloud import Cloud
from tests.chaos.plan import Disturbance, Do

AGAIN_SECONDS = 2.0
"""When no machine runs yet, or one does not start yet."""
START_SECONDS = 120.0
STARTED = "starts of a stopped host"


@dataclass
class Hosts:
    """Each method answers what is left to do: (seconds from now, errand), or None."""

    cloud: Cloud
    counts: Counter = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    """Ids of the machines that something was done to, or was tried."""
    over: bool = False
    """From now on nobody is met any more; what was stopped for a while is still started."""

    def meet(self, one: Disturbance):
        """Do it to a machine that runs; where none does, try again soon."""
        if self.over:
            return None
        running = self._running()
        if not running:
            return AGAIN_SECONDS, partial(self.meet, one)
        instance_id = running[int(one.part * len(running))]
        self.met.add(instance_id)
        try:
            left = self._do(one, instance_id)
        except ClientError:  # its user, or Kite, ends it at this moment
            return AGAIN_SECONDS, partial(self.meet, one)
        self.counts[one.do.value + (" for good" if one.for_good else "")] += 1
        return left

    def _do(self, one, instance_id):
        ec2, ids = self.cloud.ec2, [instance_id]
        match one.do:
            case Do.END_HOST:
                ec2.terminate_instances(InstanceIds=ids)
            case Do.CUT_HOST:
                self.cloud.cut(instance_id)
            case Do.REBOOT_HOST:
                ec2.reboot_instances(InstanceIds=ids)
            case Do.STOP_HOST:
                ec2.stop_instances(InstanceIds=ids)
                if not one.for_good:
                    last = time.monotonic() + one.seconds + START_SECONDS
                    return one.seconds, partial(self.start, instance_id, last)
        return None

    def start(self, instance_id, last):
        """As the user would who stopped it; one that was deleted meanwhile is left."""
        if self._state(instance_id) not in {"stopping", "stopped"}:
            return None
        try:
            self.cloud.ec2.start_instances(InstanceIds=[instance_id])
        except ClientError as refused:
            if time.monotonic() > last:
                raise TimeoutError(f"{instance_id} does not start again") from refused
            return AGAIN_SECONDS / 10, partial(self.start, instance_id, last)
        self.counts[STARTED] += 1
        return None

    def _running(self):
        return sorted(
            i["InstanceId"]
            for r in self.cloud.ec2.describe_instances()["Reservations"]
            for i in r["Instances"]
            if i["State"]["Name"] == "running"
        )

    def _state(self, instance_id):
        found = self.cloud.ec2.describe_instances(
            Filters=[{"Name": "instance-id", "Values": [instance_id]}]
        )["Reservations"]
        return found[0]["Instances"][0]["State"]["Name"] if found else ""
