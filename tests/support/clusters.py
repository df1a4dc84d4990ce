"""Sound clusters of machines on EC2, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from nixgen.models import Cluster, Ec2, Ingress, Machine, SecurityGroup, Subnet, Volume

__all__ = ["clusters"]

_HEX = st.text("0123456789abcdef", min_size=8, max_size=8)
_RULES = st.builds(
    lambda port, more, protocol: Ingress(
        port, last=port + more if more else None, protocol=protocol, source="10.0.0.0/8"
    ),
    st.integers(0, 60000),
    st.integers(0, 9),
    st.sampled_from(["tcp", "udp"]),
)


@st.composite
def _volumes(draw: st.DrawFn) -> list[Volume]:
    return [
        Volume(
            f"/dev/xvd{letter}",
            size=draw(st.integers(1, 1000)),
            type=draw(st.sampled_from(["gp3", "st1"])),
            mount_point=draw(st.sampled_from([None, f"/{letter}"])),
            fs_type=draw(st.sampled_from(["ext4", "xfs"])),
            encrypted=draw(st.booleans()),
            delete_on_termination=draw(st.booleans()),
        )
        for letter in "fgh"[: draw(st.integers(0, 3))]
    ]


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Machine], list[Cluster]]:
    """Masters first. Networks are apart by their numbers, names and addresses by position."""
    region = draw(st.sampled_from(["eu-central-1", "us-gov-west-1"]))
    subnets = [
        Subnet(
            f"subnet-{number:08x}",
            cidr=draw(st.sampled_from([None, f"10.{number}.0.0/16"])),
            zone=draw(st.sampled_from([None, f"{region}a"])),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    groups = [
        SecurityGroup(f"sg-{number:08x}", ingress=draw(st.lists(_RULES, max_size=2)))
        for number in range(draw(st.integers(0, 3)))
    ]
    some_groups = st.lists(st.sampled_from(groups), unique_by=id) if groups else st.just([])

    def ec2(number: int) -> Ec2:
        subnet = draw(st.sampled_from(subnets))
        address = subnet.cidr and subnet.cidr.replace("0.0/16", f"1.{number}")
        return Ec2(
            draw(st.sampled_from(["m5.large", "u-6tb1.56xlarge"])),
            region=region,
            subnet=subnet,
            security_groups=draw(some_groups),
            address=draw(st.sampled_from([None, address])),
            public=draw(st.booleans()),
            image=draw(st.one_of(st.none(), _HEX.map(lambda text: f"ami-{text}"))),
            key_pair=draw(st.sampled_from([None, "a key"])),
            root_size=draw(st.integers(1, 100)),
            storage=draw(_volumes()),
        )

    masters = [
        Machine(f"master-{number}", ec2=ec2(number)) for number in range(draw(st.integers(1, 3)))
    ]
    workers = [
        Machine(f"worker-{number}", ec2=ec2(100 + number))
        for number in range(draw(st.integers(0, 4)))
    ]
    of_masters, of_workers = (draw(st.permutations(range(4))) for _ in range(2))
    numbered = draw(st.booleans())
    joined = [draw(st.integers(0, len(masters) - 1)) for _ in workers]
    found = [
        Cluster(
            f"cluster-{number}",
            master=master,
            workers=[worker for worker, its in zip(workers, joined, strict=True) if its == number],
            pod_network=draw(st.sampled_from([None, f"172.{16 + number}.0.0/16"])),
            ids={
                master.name: of_masters[number],
                **{f"worker-{w}": of_workers[w] for w, its in enumerate(joined) if its == number},
            }
            if numbered
            else {},
        )
        for number, master in enumerate(masters)
    ]
    return [*masters, *workers], found
