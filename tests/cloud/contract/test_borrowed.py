"""What the strict EC2 must do, the fake must do: the strict tests, run over the fake.

Left out are those about actions Kite never makes (the fake refuses them) and about moto.
"""

from __future__ import annotations

from tests.cloud.contract.borrowing import borrow

MODULES = (
    "addresses",
    "capacity",
    "faults",
    "groups",
    "ids_and_pages",
    "interfaces",
    "launches",
    "lifetimes",
    "states",
    "tags",
    "throttling",
    "tokens",
    "visibility",
    "volumes",
)
LEFT_OUT = {
    "key pairs": (
        "test_key_names",
        "test_key_pairs_are_deleted_by_name_or_id_and_twice",
        "test_unknown_key_pairs_are_refused",
    ),
    "volumes and interfaces of their own": (
        "test_a_change_takes_its_time_and_refuses_the_next_meanwhile",
        "test_a_group_of_an_interface_is_not_deleted",
        "test_a_volume_grows_but_never_shrinks",
        "test_a_volume_is_changed_once_in_six_hours",
        "test_a_volume_made_with_a_token_is_made_once",
        "test_a_volume_too_large_or_of_no_known_type_is_refused",
        "test_an_attached_interface_is_not_deleted",
        "test_groups_given_on_an_interface_show_on_the_instance",
        "test_an_interface_ends_with_its_instance_unless_it_is_kept",
        "test_attaching_wants_a_free_volume_a_live_instance_and_a_free_device",
        "test_detaching_needs_the_volume_only_and_never_takes_a_live_root",
        "test_or_four_times_a_day_where_that_has_arrived",
        "test_tags_are_described_by_kind_and_end_with_their_resource",
    ),
    "attributes": (
        "test_an_ended_instance_is_not_modified",
        "test_the_type_changes_on_a_stopped_instance_only",
        "test_user_data_is_limited",
    ),
    "networks that go away, addresses of one's choice": (
        "test_a_private_address_in_use_or_out_of_range_is_refused",
        "test_without_a_default_subnet_the_launch_is_refused",
    ),
    "moto": ("test_plain_moto_launches_twice",),
}


globals().update(
    borrow(
        *(f"tests.cloud.strict.test_{module}" for module in MODULES),
        without={name for names in LEFT_OUT.values() for name in names},
    )
)
