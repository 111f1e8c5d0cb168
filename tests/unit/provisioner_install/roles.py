"""Which tasks of the roles work on a host, and which only decide on the controller."""

from pathlib import Path

ROLES = Path(__file__).parents[3] / "playbooks" / "roles"
ON_CONTROLLER = {
    "ansible.builtin.assert",
    "ansible.builtin.import_tasks",
    "ansible.builtin.include_tasks",
    "ansible.builtin.meta",
    "ansible.builtin.wait_for_connection",
}


def tasks(document):
    """Tasks that a reader of progress should hear of."""
    return [task for task in document if not ON_CONTROLLER & set(task)]
