"""machine.json: what is wrong is named by JSON path and line, and what is read is what was written."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clusters import clusters
from hypothesis import given

from nixgen.documents.descriptor import descriptor, read_descriptor
from nixgen.documents.jsontext import JsonText
from nixgen.documents.schema import faults
from nixgen.errors import DescriptorError, UsageError
from nixgen.models import Cluster, Ec2, Machine, Project, Service, Subnet, check

SOUND: dict[str, Any] = {
    "schema": "nixgen/machine/1",
    "region": "eu-central-1",
    "subnets": [
        {"id": "subnet-0000000a", "cidr": "10.0.1.0/24", "zone": "eu-central-1a"},
        {"id": "subnet-0000000b", "cidr": "10.0.2.0/24"},
    ],
    "securityGroups": [
        {"id": "sg-0000000a", "ingress": [{"from": 6443, "source": "10.0.0.0/16"}]},
    ],
    "masters": [
        {
            "id": 0,
            "name": "master-0",
            "instanceType": "m5.large",
            "subnet": "subnet-0000000a",
            "securityGroups": ["sg-0000000a"],
            "address": "10.0.1.10",
            "podNetwork": "10.32.0.0/12",
        }
    ],
    "workers": [
        {
            "id": 0,
            "name": "worker-0",
            "instanceType": "m5.large",
            "subnet": "subnet-0000000b",
            "storage": [{"device": "/dev/xvdf", "size": 20, "mountPoint": "/data"}],
        },
        {
            "id": 1,
            "name": "worker-1",
            "system": "aarch64-linux",
            "instanceType": "m6g.large",
            "subnet": "subnet-0000000c",
            "securityGroups": ["sg-0000000a", "sg-0000000b"],
        },
    ],
    "membership": {"master-0": ["worker-0", "worker-1"]},
}

OLDER: dict[str, Any] = {
    "masters": {
        "aws": {"securityGroupIds": ["sg-0000000a"], "instanceType": "m4.large"},
        "configs": [
            {
                "id": 0,
                "name": "master-0",
                "aws-subnetId": "subnet-0000000a",
                "pods-cidr": "10.32.0.0/12",
            }
        ],
    },
    "workers": {
        "aws": {"securityGroupIds": ["sg-0000000b"], "instanceType": "m4.large", "storageSize": 20},
        "configs": [
            {"id": 0, "name": "worker-0", "aws-subnetId": "subnet-0000000a"},
            {"id": 1, "name": "worker-1", "aws-subnetId": "subnet-0000000a"},
        ],
    },
    "membership": {"master-0": ["worker-0", "worker-1"]},
}


def write(folder: Path, document: Any) -> Path:
    file = folder / "machine.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document, indent=2))
    return file


def edited(original: dict[str, Any], edit: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = copy.deepcopy(original)
    edit(document)
    return document


def problems(folder: Path, document: Any) -> dict[str, str]:
    """JSON path → the message. Every problem has a line of the file."""
    file = write(folder, document)
    with pytest.raises(DescriptorError) as caught:
        read_descriptor(file)
    assert caught.value.exit_status == 2
    lines = file.read_text().splitlines()
    for problem in caught.value.problems:
        name, _, line = (problem.where or "").rpartition(":")
        assert name == str(file)
        member = problem.path.rpartition(".")[2]
        if "[" not in member and "is missing" not in problem.message:
            assert f'"{member}"' in lines[int(line) - 1]
    return {problem.path: problem.message for problem in caught.value.problems}


def test_masters_and_workers_become_machines(tmp_path: Path) -> None:
    service = Service("kubelet", command=["/bin/kubelet"])
    machines, clusters = read_descriptor(
        write(tmp_path, SOUND), workers={"services": [service], "memory": 1024}
    )
    master, first, second = machines
    (cluster,) = clusters
    assert master.ec2
    assert first.ec2
    assert second.ec2
    assert (master.name, master.services) == ("master-0", ())
    assert (cluster.name, cluster.pod_network) == ("master-0", "10.32.0.0/12")
    assert (cluster.master, cluster.workers) == (master, (first, second))
    assert cluster.ids == {"master-0": 0, "worker-0": 0, "worker-1": 1}
    assert master.ec2.security_groups[0].ingress[0].source == "10.0.0.0/16"
    assert (first.services, first.memory) == ((service,), 1024)
    assert first.ec2.storage[0].mount_point == "/data"
    assert first.ec2.subnet.cidr == "10.0.2.0/24"
    # what only its id is known of is still one thing
    assert (second.system, second.ec2.subnet.id) == ("aarch64-linux", "subnet-0000000c")
    assert second.ec2.security_groups[0] is master.ec2.security_groups[0]
    assert check(Project("p", machines=machines, clusters=clusters)) == ()


def test_the_older_form_is_read(tmp_path: Path) -> None:
    document = descriptor(*read_descriptor(write(tmp_path, OLDER)))
    assert document["region"] == "us-east-1"
    assert document["membership"] == OLDER["membership"]
    assert [machine["subnet"] for machine in document["workers"]] == ["subnet-0000000a"] * 2
    assert document["workers"][0]["storage"] == [
        {
            "device": "/dev/xvdf",
            "size": 20,
            "type": "gp2",
            "mountPoint": "/data",
            "fsType": "xfs",
            "encrypted": False,
            "deleteOnTermination": True,
        }
    ]
    assert document["masters"][0]["podNetwork"] == "10.32.0.0/12"
    assert document["masters"][0]["securityGroups"] == ["sg-0000000a"]


def second_master(document: dict[str, Any]) -> None:
    document["masters"].append(
        {"id": 1, "name": "master-1", "instanceType": "m5.large", "subnet": "subnet-0000000a"}
    )
    document["membership"]["master-1"] = ["worker-0"]


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, str]]] = {
    "no region": (lambda d: d.pop("region"), {"region": "is missing"}),
    "an unknown member": (
        lambda d: d["workers"][0].update(instancetype="x"),
        {"workers[0].instancetype": "is not known; did you mean instanceType?"},
    ),
    "an id is text": (
        lambda d: d["masters"][0].update(id="0"),
        {"masters[0].id": 'must be a whole number, 0 or more, not "0"'},
    ),
    "several at once": (
        lambda d: (d["masters"][0].update(subnet="subnet-"), d["workers"][1].pop("name")),
        {
            "masters[0].subnet": "must be the id of a subnet, such as subnet-0a1b2c3d4e5f60718, "
            'not "subnet-"',
            "workers[1].name": "is missing",
        },
    ),
    "an id twice": (
        lambda d: d["workers"][1].update(id=0),
        {"workers[1].id": "0 is also the id of the worker 'worker-0'"},
    ),
    "a name twice": (
        lambda d: d["workers"][1].update(name="master-0"),
        {
            "workers[1].name": "'master-0' is also the name of masters[0]",
            "membership.master-0[1]": "there is no machine 'worker-1'",
            "workers[1]": "the worker 'master-0' has joined no master",
        },
    ),
    "a subnet twice": (
        lambda d: d["subnets"][1].update(id="subnet-0000000a"),
        {"subnets[1].id": "'subnet-0000000a' is also the id of subnets[0]"},
    ),
    "a member that is nobody": (
        lambda d: d["membership"]["master-0"].append("worker-7"),
        {"membership.master-0[2]": "there is no machine 'worker-7'"},
    ),
    "a master that is nobody": (
        lambda d: d["membership"].update({"master-7": []}),
        {"membership.master-7": "there is no machine 'master-7'"},
    ),
    "a worker is no master": (
        lambda d: d["membership"].update({"worker-1": ["worker-1"]}),
        {
            "membership.worker-1": "'worker-1' is one of the workers, not of the masters",
            "membership.worker-1[0]": "'worker-1' has joined 'master-0' already",
        },
    ),
    "a worker of two masters": (
        second_master,
        {"membership.master-1[0]": "'worker-0' has joined 'master-0' already"},
    ),
    "a worker alone": (
        lambda d: d["membership"]["master-0"].remove("worker-1"),
        {"workers[1]": "the worker 'worker-1' has joined no master"},
    ),
    "pods of a worker": (
        lambda d: d["workers"][0].update(podNetwork="10.48.0.0/12"),
        {"workers[0].podNetwork": "belongs to the master"},
    ),
    "host bits": (
        lambda d: d["masters"][0].update(podNetwork="10.32.0.1/12"),
        {"masters[0].podNetwork": "'10.32.0.1/12' is not a network: it has host bits set"},
    ),
    "pods in a subnet": (
        lambda d: d["masters"][0].update(podNetwork="10.0.0.0/16"),
        {
            "masters[0].podNetwork": "10.0.0.0/16 overlaps 10.0.1.0/24, the subnet subnet-0000000a",
            "workers[0].subnet": "10.0.2.0/24 overlaps 10.0.0.0/16, the pod network of 'master-0'",
        },
    ),
    "subnets that overlap": (
        lambda d: d["subnets"][1].update(cidr="10.0.0.0/16"),
        {"workers[0].subnet": "10.0.0.0/16 overlaps 10.0.1.0/24, the subnet subnet-0000000a"},
    ),
    "a subnet's addresses": (
        lambda d: d["subnets"][0].update(cidr="10.0.1.0/33"),
        {"subnets[0].cidr": "'10.0.1.0/33' is not a network"},
    ),
    "an address elsewhere": (
        lambda d: d["masters"][0].update(address="10.0.2.10"),
        {"masters[0].address": "10.0.2.10 is not in the subnet subnet-0000000a, 10.0.1.0/24"},
    ),
    "a zone elsewhere": (
        lambda d: d["subnets"][0].update(zone="eu-west-1a"),
        {
            "masters[0].subnet": "subnet-0000000a is in eu-west-1a, "
            "which is not in the region eu-central-1"
        },
    ),
    "ports backwards": (
        lambda d: d["securityGroups"][0]["ingress"][0].update(to=80),
        {"securityGroups[0].ingress[0].to": "is before the first port, 6443"},
    ),
    "a device twice": (
        lambda d: d["workers"][0]["storage"].append({"device": "/dev/xvdf", "size": 1}),
        {"workers[0].storage[1].device": "/dev/xvdf is also that of storage[0]"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_error_names_each_fault(name: str, tmp_path: Path) -> None:
    edit, expected = FAULTS[name]
    found = problems(tmp_path, edited(SOUND, edit))
    assert found.keys() == expected.keys()
    for path, message in expected.items():
        assert found[path].startswith(message)


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (lambda d: d["masters"]["configs"][0].pop("name"), "masters.configs[0].name"),
        (lambda d: d["workers"]["configs"][1].update(id=0), "workers.configs[1].id"),
        (lambda d: d["workers"]["aws"].update(instanceType=1), "workers.aws.instanceType"),
        (lambda d: d["workers"]["aws"].update(storageSize=0), "workers.aws.storageSize"),
        (
            lambda d: d["masters"]["configs"][0].update({"pods-cidr": "x"}),
            "masters.configs[0].pods-cidr",
        ),
        (lambda d: d["membership"]["master-0"].append("x"), "membership.master-0[2]"),
        (lambda d: d["workers"].update(configs={}), "workers.configs"),
        (lambda d: d.update(oidc={}), "oidc"),
    ],
)
def test_the_error_names_each_fault_of_the_older_form(
    edit: Callable[[dict[str, Any]], Any], path: str, tmp_path: Path
) -> None:
    assert list(problems(tmp_path, edited(OLDER, edit))) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "has the schema None"),
        ("null", "has the schema None"),
        ('{"schema": "nixgen/machine/2"}', "has the schema 'nixgen/machine/2'"),
        ('{"masters": {}}', "has the schema None"),
        ("[" * 100_000, "is not JSON: it is nested too deeply"),
    ],
)
def test_a_file_that_is_no_descriptor_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DescriptorError, match=r".*") as caught:
        read_descriptor(write(tmp_path, text))
    assert message in caught.value.message


def test_a_missing_descriptor_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DescriptorError, match=r"nowhere\.json cannot be read: No such file"):
        read_descriptor("nowhere.json", folder=tmp_path)
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    with pytest.raises(DescriptorError, match=r"bytes\.json is not UTF-8"):
        read_descriptor("bytes.json", folder=tmp_path)


def test_a_relative_path_starts_at_the_file_that_reads_it() -> None:
    with pytest.raises(DescriptorError) as caught:
        read_descriptor("there-is-no-such.json")
    assert str(Path(__file__).parent) in (caught.value.hint or "")


@given(clusters())
def test_a_written_descriptor_is_read_back(
    content: tuple[list[Machine], list[Cluster]],
) -> None:
    machines, clusters = content
    assert check(Project("p", machines=machines, clusters=clusters)) == ()
    document = descriptor(machines, clusters)
    assert faults("machine-1", JsonText.parse(json.dumps(document))) == []
    with tempfile.TemporaryDirectory() as folder:
        assert descriptor(*read_descriptor(write(Path(folder), document))) == document


def test_only_members_on_ec2_of_one_region_can_be_written() -> None:
    with pytest.raises(UsageError, match="no machine of the project is a member"):
        descriptor([Machine("m")], [])
    member = Machine("m")
    with pytest.raises(UsageError, match="'m' is a member of a cluster, and not on EC2"):
        descriptor([member], [Cluster("c", master=member)])
    several = [
        Machine(
            f"m-{number}",
            ec2=Ec2("m5.large", region=region, subnet=Subnet("subnet-0000000a")),
        )
        for number, region in enumerate(["eu-west-1", "eu-central-1"])
    ]
    with pytest.raises(UsageError, match="2 regions: eu-central-1, eu-west-1"):
        descriptor(several, [Cluster(each.name, master=each) for each in several])
