"""Security groups hold, as on AWS: refused until allowed, open connections outlive a revocation."""

from __future__ import annotations

import sys

import pytest

from tests.localcloud.world import until

PORT = 19530
ECHO = (
    "import socketserver as s\\n"
    "class H(s.StreamRequestHandler):\\n"
    "    def handle(self):\\n"
    "        peer = self.client_address[0].encode() + b' '\\n"
    "        for line in self.rfile: self.wfile.write(peer + line)\\n"
    "s.ThreadingTCPServer.allow_reuse_address = True\\n"
    f"s.ThreadingTCPServer(('0.0.0.0', {PORT}), H).serve_forever()\\n"
)
TALK = (
    "import socket, sys\n"
    "c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).makefile('rw')\n"
    "for line in sys.stdin:\n"
    "    c.write(line); c.flush(); sys.stdout.write(c.readline()); sys.stdout.flush()\n"
)


@pytest.fixture(scope="module")
def whitelist(cloud):
    return cloud.group("whitelist")


@pytest.fixture(scope="module")
def host(cloud, whitelist):
    instance_id = cloud.launch(groups=[whitelist])
    cloud.wait(instance_id)
    cloud.login(
        instance_id,
        f'printf "{ECHO}" > ~/echo.py; sudo systemd-run -q --unit=echo python3 ~ubuntu/echo.py; '
        f"while ! ss -Hltn | grep -q ':{PORT} '; do sleep 0.05; done",
    )
    yield instance_id
    cloud.end(instance_id)


@pytest.fixture
def address(cloud, host):
    return cloud.see(host)["PublicIpAddress"]


def source(cloud, last):
    return f"{cloud.ground.public[last]}/32"


def test_refused_until_allowed_and_only_the_allowed_one(cloud, whitelist, address):
    assert not cloud.reaches("a", address, PORT)

    cloud.allow(whitelist, PORT, source(cloud, 200))

    until(lambda: cloud.reaches("a", address, PORT), "the rule")
    assert not cloud.reaches("b", address, PORT)
    assert not cloud.reaches("a", address, 22)
    cloud.refuse(whitelist, PORT, source(cloud, 200))
    until(lambda: not cloud.reaches("a", address, PORT), "the revocation")


def test_revocation_refuses_new_connections_and_keeps_open_ones(cloud, whitelist, address):
    cloud.allow(whitelist, PORT, source(cloud, 200))
    until(lambda: cloud.reaches("a", address, PORT), "the rule")
    with cloud.as_client("a", sys.executable, "-c", TALK, address, str(PORT)) as talk:
        try:
            assert say(talk, "before") == f"{cloud.ground.public[200]} before\n"

            cloud.refuse(whitelist, PORT, source(cloud, 200))
            until(lambda: not cloud.reaches("a", address, PORT), "the revocation")

            assert say(talk, "after") == f"{cloud.ground.public[200]} after\n"
        finally:
            talk.kill()


def say(talk, word):
    talk.stdin.write(f"{word}\n")
    talk.stdin.flush()
    return talk.stdout.readline()


def test_a_rule_for_a_group_lets_its_members_in_and_nobody_else(cloud, host, whitelist):
    friends = cloud.group("friends")
    cloud.ec2.authorize_security_group_ingress(
        GroupId=whitelist,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": PORT,
                "ToPort": PORT,
                "UserIdGroupPairs": [{"GroupId": friends}],
            }
        ],
    )
    friend, stranger = cloud.launch(groups=[friends], public=False), cloud.launch(public=False)
    inside = cloud.see(host)["PrivateIpAddress"]
    script = f"timeout 1 bash -c '</dev/tcp/{inside}/{PORT}'"
    try:
        for one in (friend, stranger):
            cloud.wait(one)
        until(lambda: cloud.login(friend, script, check=False).returncode == 0, "the rule")
        assert cloud.login(stranger, script, check=False).returncode != 0
    finally:
        cloud.end(friend)
        cloud.end(stranger)


def test_groups_of_an_interface_may_change_while_it_runs(cloud, host, whitelist, address):
    more = cloud.group("more")
    cloud.allow(more, PORT, source(cloud, 201))
    interface = cloud.see(host)["NetworkInterfaces"][0]["NetworkInterfaceId"]

    cloud.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Groups=[cloud.gate, whitelist, more]
    )
    until(lambda: cloud.reaches("b", address, PORT), "the new group")
    cloud.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Groups=[cloud.gate, whitelist]
    )
    until(lambda: not cloud.reaches("b", address, PORT), "the end of the group")


def test_public_names_lead_clients_to_their_host(cloud, host):
    address = cloud.see(host)["PublicIpAddress"]
    name = f"ec2-{address.replace('.', '-')}.compute-1.amazonaws.com"

    with cloud.as_client("a", "getent", "ahostsv4", name) as asking:
        said, _ = asking.communicate()
    assert said.split()[0] == address
    with cloud.as_client("a", "getent", "ahosts", "example.com") as asking:
        asking.communicate()
    assert asking.returncode == 2
