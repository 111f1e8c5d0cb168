"""What the milvus role writes for each method, read back as systemd and Milvus read it."""

import pytest
import yaml

from tests.playbooks.conftest import PLAYBOOKS
from tests.playbooks.test_preflight import CONTAINER, DIGEST, WHEEL

TEMPLATES = {
    "wheel": ["milvus.yaml", "etcd.yaml", "glog.conf", "milvus-wheel.service"],
    "container": ["milvus.yaml", "milvus-etcd.service", "milvus-container.service"],
}
HOSTS = {
    "wheel": {**WHEEL, "milvus_limit_nofile": 20000, "milvus_stop_seconds": 40},
    "container": CONTAINER,
    "old": {**CONTAINER, "milvus_version": "2.5.27"},
    "own": {**WHEEL, "milvus_settings": {"proxy": {"port": 19999}, "dataNode": {"x": 1}}},
}
PARTS = ("rootCoord", "queryCoord", "queryNode", "dataCoord", "dataNode", "indexNode", "proxy")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory, module_play):
    """The role's own variables, and a stand-in for its tasks that only renders."""
    out = tmp_path_factory.mktemp("rendered")
    tasks = [
        {"ansible.builtin.import_role": {"name": "milvus", "tasks_from": "preflight"}},
        {
            "ansible.builtin.template": {
                "src": "{{ playbook_dir }}/roles/milvus/templates/{{ item }}.j2",
                "dest": f"{out}/{{{{ inventory_hostname }}}}-{{{{ item }}}}",
                "mode": "0600",
            },
            "loop": "{{ templates[milvus_method] }}",
        },
    ]
    book = out / "render.yml"
    play = {"hosts": "all", "gather_facts": False, "vars": {"templates": TEMPLATES}, "tasks": tasks}
    book.write_text(yaml.safe_dump([play]))
    hosts = {name: {"ansible_connection": "local", **values} for name, values in HOSTS.items()}
    (out / "roles").symlink_to(PLAYBOOKS / "roles")
    played = module_play(book, {"all": {"hosts": hosts}})
    assert played.code == 0, played.text
    return {path.name: path.read_text() for path in out.iterdir() if path.is_file()}


def unit(text):
    """Sections of a unit, each as a list of (key, value): keys may come twice."""
    sections, current = {}, None
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current.append(tuple(line.split("=", 1)))
    return {name: dict(pairs) for name, pairs in sections.items()}


@pytest.mark.parametrize("host", ["wheel", "container", "old"])
def test_every_part_has_a_port_of_its_own(rendered, host):
    config = yaml.safe_load(rendered[f"{host}-milvus.yaml"])

    ports = [config[part]["port"] for part in PARTS] + [config["proxy"]["internalPort"]]
    assert len(set(ports)) == len(ports)
    assert config["proxy"]["port"] == 19530


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_gets_in_without_a_password(rendered, host):
    config = yaml.safe_load(rendered[f"{host}-milvus.yaml"])

    assert config["common"]["security"]["authorizationEnabled"] is True


def test_a_container_closes_the_expression_endpoint(rendered):
    config = yaml.safe_load(rendered["container-milvus.yaml"])

    assert config["common"]["security"]["exprEnabled"] is False


@pytest.mark.parametrize(("host", "queue"), [("container", "woodpecker"), ("old", "rocksmq")])
def test_the_queue_is_named_for_each_line(rendered, host, queue):
    assert yaml.safe_load(rendered[f"{host}-milvus.yaml"])["mq"]["type"] == queue


@pytest.mark.parametrize(("host", "embedded"), [("wheel", True), ("container", False)])
def test_etcd_is_inside_or_a_unit_of_its_own(rendered, host, embedded):
    config = yaml.safe_load(rendered[f"{host}-milvus.yaml"])

    assert config["etcd"]["use"]["embed"] is embedded
    assert config["etcd"]["rootPath"] == "kite"


def test_settings_of_the_user_are_laid_over(rendered):
    config = yaml.safe_load(rendered["own-milvus.yaml"])

    assert config["proxy"] == {"port": 19999, "internalPort": 19529}
    assert config["dataNode"] == {"port": 21124, "x": 1}


def test_the_wheel_runs_as_a_user_of_its_own_with_bounds(rendered):
    service = unit(rendered["wheel-milvus-wheel.service"])["Service"]

    assert service["User"] == "milvus"
    assert service["LimitNOFILE"] == "20000"
    assert service["TimeoutStopSec"] == "40"
    assert service["NoNewPrivileges"] == "true"
    assert service["ExecStart"] == "/opt/kite/milvus-000000000000/bin/milvus run standalone"


@pytest.mark.parametrize("name", ["wheel-milvus-wheel", "container-milvus-container"])
def test_milvus_never_starts_beside_its_disk(rendered, name):
    assert unit(rendered[f"{name}.service"])["Unit"]["RequiresMountsFor"] == "/var/lib/milvus"


def test_containers_are_pinned_and_on_the_hosts_network(rendered):
    milvus = unit(rendered["container-milvus-container.service"])["Service"]["ExecStart"]
    etcd = unit(rendered["container-milvus-etcd.service"])["Service"]["ExecStart"]

    for command, image in ((milvus, "milvus"), (etcd, "etcd")):
        words = command.split()
        assert words[:2] == ["/usr/bin/docker", "run"]
        assert "--network=host" in words
        assert any(word.endswith(image + DIGEST) for word in words)
        assert "--privileged" not in words


def test_etcd_listens_on_this_host_only(rendered):
    command = unit(rendered["container-milvus-etcd.service"])["Service"]["ExecStart"]

    addresses = [word for word in command.split() if "-urls=" in word]
    assert len(addresses) == 4
    assert all("=http://127.0.0.1:" in word for word in addresses)


def test_the_overlay_is_mounted_where_milvus_reads_it(rendered):
    command = unit(rendered["container-milvus-container.service"])["Service"]["ExecStart"]

    assert "/etc/kite/milvus/user.yaml:/milvus/configs/user.yaml:ro" in command


def test_the_password_is_in_no_file(rendered):
    assert "longenough" not in "".join(rendered.values())
