"""Members of clusters: their place is an option, and a test's own network replaces their addresses."""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering import lower
from nixgen.models import Cluster, Ec2, Machine, Project, Subnet, Test, require_valid

NO_ADDRESSES = "nixgen.cluster.members = lib.mkForce { };"
SUBNET = Subnet("subnet-0a1b2c3d")

master = Machine(
    "control",
    ec2=Ec2("m5.large", region="eu-central-1", subnet=SUBNET, address="10.0.0.1"),
)
worker, alone = Machine("worker"), Machine("alone")
files = lower(
    require_valid(
        Project(
            "p",
            machines=[alone, worker, master],
            clusters=[Cluster("main", master=master, workers=[worker], pod_network="10.32.0.0/12")],
            tests=[
                Test("joined", machines=[worker, alone], script="start_all()\n"),
                Test("apart", machines=[alone], script="start_all()\n"),
            ],
        )
    )
)


def text(path: str) -> str:
    file = files[path]
    assert isinstance(file, nix.NixFile)
    return nix.print_expr(file.make())


def test_every_member_knows_the_others_and_the_pod_network() -> None:
    for machine, role in ((master, "master"), (worker, "worker")):
        found = text(f"machines/{machine.name}.nix")
        for line in (
            f'role = "{role}";',
            'master = "control";',
            'control = "10.0.0.1";',
            "worker = null;",
            'podNetwork = "10.32.0.0/12";',
        ):
            assert line in found


def test_a_machine_in_no_cluster_has_no_option_of_clusters() -> None:
    assert "nixgen.cluster" not in text("machines/alone.nix")


def test_addresses_of_members_on_ec2_are_unknown_in_a_test() -> None:
    assert text("tests/joined.nix").count(NO_ADDRESSES) == 1
    assert NO_ADDRESSES not in text("tests/apart.nix")
