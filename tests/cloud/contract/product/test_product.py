"""A cluster's whole life, and every call of the provisioner, over the fake."""

from __future__ import annotations

from tests.cloud.contract.borrowing import borrow

STORIES = (
    "test_a_cluster_is_made_and_leaves_nothing",
    "test_the_second_cluster_costs_two_calls_and_its_address",
    "test_deleting_both_at_once_leaves_no_base",
)

globals().update(borrow("tests.cloud.provisioner.test_ec2"))
globals().update(borrow("tests.cloud.provisioner.test_story", only=STORIES))
