"""The compose file is brought up for real, makes a cluster, and leaves nothing."""

import pytest

pytestmark = pytest.mark.timeout(900)  # from nothing: a base image, wheels, images
SERVICES = {"mongo", "registry", "whitelist", "provisioner", "bff"}
BODY = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}


@pytest.fixture(scope="module")
def up(compose):
    done = compose("up", "--detach", "--wait", "--wait-timeout", "120", check=False)
    assert done.returncode == 0, done.stderr[-2000:] + compose.logs()
    yield compose
    compose("down", "--volumes", "--timeout", "20")
    docker = compose.engine.docker
    assert docker("ps", "--all", "--quiet").stdout == ""
    assert docker("volume", "ls", "--quiet").stdout == ""
    networks = set(docker("network", "ls", "--format", "{{.Name}}").stdout.split())
    assert networks == {"bridge", "host", "none"}


def test_every_container_is_healthy(up):
    states = {name: one["State"]["Health"]["Status"] for name, one in up.containers().items()}
    assert states == dict.fromkeys(SERVICES, "healthy")


def test_no_container_has_more_rights_than_it_needs(up):
    for name, one in up.containers().items():
        host = one["HostConfig"]
        assert one["Config"]["User"].split(":")[0] not in {"", "0", "root"}, name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert not host["Privileged"], name


def test_only_the_bff_is_published_and_only_on_loopback(up):
    bindings = {n: one["HostConfig"]["PortBindings"] for n, one in up.containers().items()}
    published = {name: ports for name, ports in bindings.items() if ports}
    assert published == {"bff": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}}


def test_the_database_is_reached_by_the_registry_alone(up):
    networks = {n: set(one["NetworkSettings"]["Networks"]) for n, one in up.containers().items()}
    with_records = {name for name, names in networks.items() if "kite_records" in names}
    assert with_records == {"mongo", "registry"}


def test_the_root_file_system_cannot_be_written(up):
    done = up("exec", "-T", "registry", "touch", "/opt/kite/x", check=False)
    assert "Read-only file system" in done.stderr


def test_a_cluster_is_made_and_deleted(up, cloud):
    """The whole way through containers: HTTP, gRPC, MongoDB protocol, EC2, SSH, Milvus."""
    status, made = up.http("POST", "/v1/milvus", BODY)
    assert status in {200, 201, 202}, made
    assert made["milvus-port"] == "19530"

    def state():
        status, seen = up.http("GET", "/v1/clusters/search-cats")
        return seen.get("status") if status == 200 else status

    up.until(lambda: state() in {"running", "failed"}, "running")
    assert state() == "running", up.logs()
    status, _ = up.http("DELETE", "/v1/milvus", {"milvus-name": "search-cats"})
    assert status in {200, 202}
    up.until(lambda: state() in {404, "deleted"}, "deleted")
    up.until(lambda: nothing_is_left(cloud.ec2), "an empty cloud")


def nothing_is_left(ec2):
    """No instance, volume, address, group or key of ours."""
    reservations = ec2.describe_instances()["Reservations"]
    states = {i["State"]["Name"] for r in reservations for i in r["Instances"]}
    groups = {g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"]}
    return (
        states <= {"terminated"}
        and not ec2.describe_volumes()["Volumes"]
        and not ec2.describe_addresses()["Addresses"]
        and not ec2.describe_key_pairs()["KeyPairs"]
        and not {name for name in groups if name.startswith("kite-")}
    )


def test_a_service_that_dies_comes_back(up):
    before = up.containers()["whitelist"]["State"]["StartedAt"]
    kill = "import os, signal; os.kill(-1, signal.SIGKILL)"
    up("exec", "-T", "whitelist", "python", "-c", kill, check=False)

    def healthy():
        state = up.containers()["whitelist"]["State"]
        return state["StartedAt"] != before and state["Health"]["Status"] == "healthy"

    up.until(healthy, "a healthy whitelist service")
