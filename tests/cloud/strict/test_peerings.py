from tests.cloud.strict.proof import needs, refused


def vpc(ec2, cidr):
    return ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]


def peer(ec2, one, other):
    made = ec2.create_vpc_peering_connection(VpcId=one, PeerVpcId=other)
    return made["VpcPeeringConnection"]["VpcPeeringConnectionId"]


def status(ec2, peering):
    found = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])
    return found["VpcPeeringConnections"][0]["Status"]["Code"]


@needs("peering-overlap")
def test_overlapping_blocks_fail(strict_ec2):
    ec2 = strict_ec2.client()
    made = peer(ec2, vpc(ec2, "10.1.0.0/16"), vpc(ec2, "10.1.128.0/20"))
    assert status(ec2, made) == "failed"
    with refused("InvalidStateTransition"):
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made)
    fine = peer(ec2, vpc(ec2, "10.2.0.0/16"), vpc(ec2, "10.3.0.0/16"))
    assert status(ec2, fine) == "pending-acceptance"


@needs("peering-twice")
def test_one_peering_between_two_vpcs(strict_ec2):
    ec2 = strict_ec2.client()
    one, other = vpc(ec2, "10.2.0.0/16"), vpc(ec2, "10.3.0.0/16")
    made = peer(ec2, one, other)
    for pair in ((one, other), (other, one)):
        with refused("VpcPeeringConnectionAlreadyExists"):
            peer(ec2, *pair)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=made)
    peer(ec2, one, other)


@needs("blackhole-routes")
def test_the_route_of_an_ended_peering_is_a_black_hole(strict_ec2):
    ec2 = strict_ec2.client()
    one, other = vpc(ec2, "10.2.0.0/16"), vpc(ec2, "10.3.0.0/16")
    made = peer(ec2, one, other)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made)
    table = ec2.create_route_table(VpcId=one)["RouteTable"]["RouteTableId"]
    ec2.create_route(
        RouteTableId=table, DestinationCidrBlock="10.3.0.0/16", VpcPeeringConnectionId=made
    )

    def states():
        routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return {r["DestinationCidrBlock"]: r["State"] for r in routes}

    assert states()["10.3.0.0/16"] == "active"
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=made)
    assert states() == {"10.2.0.0/16": "active", "10.3.0.0/16": "blackhole"}
