"""Machines are what their models say, for NixOS and for the Debian base alike."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from machines import machines
from projects import generate, generate_at

from nixgen.lowering.nixos import changes
from nixgen.models import Environment, Machine, Package, Project, User, check

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs, pytest.mark.slow]

HERE = Path(__file__).parent
BASES = ("nixos", "debian")
# Where the bases differ on purpose: NixOS points programs at its own locales and time zones, and each base
# appends its own tools to PATH.
OWN_OF_NIXOS = ("LOCALE_ARCHIVE=", "TZDIR=", "PATH=")


def values(
    folder: Path,
    wanted: Mapping[str, tuple[Machine, Environment | None]],
    *,
    debian: bool = True,
) -> dict[str, Any]:
    """What tests/nixpkgs/values.nix says of machines of a generated tree: name of the question → answer."""
    asked = {}
    for name, (machine, environment) in wanted.items():
        modules = [folder / f"generated/machines/{machine.name}.nix"]
        if environment is not None and changes(environment, machine):
            modules.append(folder / f"generated/environments/{environment.name}/{machine.name}.nix")
        asked[name] = {
            "modules": list(map(str, modules)),
            "services": [service.name for service in machine.services],
        }
    question = folder / "question.json"
    question.write_text(json.dumps(asked))
    done = subprocess.run(
        [
            *("nix-instantiate", "--eval", "--strict", "--json", "--option", "build-users-group", ""),
            *("--expr", f"""
                import {HERE}/values.nix {{
                  nixpkgs = {os.environ["NIXGEN_NIXPKGS"]};
                  library = {folder}/generated/lib;
                  debianToo = {json.dumps(debian)};
                  machines = builtins.fromJSON (builtins.readFile {question});
                }}
            """),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout))


def meaning(text: str) -> dict[str, dict[str, list[str]]]:
    """Section → key → values in order; the order of different keys has no meaning (systemd.syntax(7))."""
    sections: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in filter(None, text.split("\n")):
        if line.startswith("["):
            section = line
            continue
        key, _, value = line.partition("=")
        if key != "Environment" or not value.strip('"').startswith(OWN_OF_NIXOS):
            sections[section][key].append(value.rstrip())
    return {name: dict(keys) for name, keys in sections.items()}


def unit_says(machine: Machine, text: str, name: str) -> None:
    """A unit's text has what the service says, by the rules of systemd and not by those of the lowering."""
    service = next(service for service in machine.services if service.name == name)
    unit = meaning(text)["[Service]"]
    assert len(unit["ExecStart"]) == 1
    assert len(unit.get("ExecStartPre", ())) == len(service.setup)
    assert unit["Restart"] == [service.restart]
    if service.user is None:
        assert unit["DynamicUser"] == ["true"]
    else:
        assert unit["User"] == [service.user.name]
    for variable, value in service.environment.items():
        line = next(
            line
            for line in unit["Environment"]
            if line.removeprefix('"').startswith(f"{variable}=")
        )
        if isinstance(value, str):
            assert json.loads(line.replace("%%", "%")) == f"{variable}={value}"
    hardening = service.hardening
    strict = {"strict": ["strict"], "full": ["full"], "system": ["true"], "open": []}
    assert unit.get("ProtectSystem", []) == strict[hardening.filesystem]
    assert ("ProtectHome" in unit) is not hardening.home
    assert ("PrivateDevices" in unit) is not hardening.devices
    assert ("MemoryDenyWriteExecute" in unit) is not hardening.write_execute
    assert unit.get("RestrictAddressFamilies", []) == list(hardening.address_families)
    assert unit.get("SystemCallFilter", []) == list(hardening.system_calls)


def facts_say(machine: Machine, facts: dict[str, Any], *, is_nixos: bool) -> None:
    assert facts["hostName"] == machine.name
    for protocol in ("tcp", "udp"):
        opened = {
            port.number
            for service in machine.services
            for port in service.ports
            if port.public and port.protocol == protocol
        }
        assert opened <= set(facts["firewall"][f"allowed{protocol.upper()}Ports"])
    users = {user.name: user for user in machine.users} | {
        service.user.name: service.user
        for service in machine.services
        if service.user is not None and service.user.name != "root"
    }
    for name, user in users.items():
        user_says(user, facts["users"][name])
        assert name in facts["groups"]
    _network_says(machine, facts, is_nixos=is_nixos)
    if machine.boot is not None:
        boot = facts["boot"]
        assert set(machine.boot.kernel_modules) <= set(boot["kernelModules"])
        assert set(machine.boot.kernel_parameters) <= set(boot["kernelParams"])
        assert set(machine.boot.initrd_modules) <= set(boot["availableKernelModules"])
        assert machine.boot.sysctl.items() <= boot["sysctl"].items()
        assert boot["grub"]["enable"] is (machine.boot.loader == "grub")
        assert boot["systemd-boot"] is (machine.boot.loader == "systemd-boot")
    for system in machine.file_systems:
        found = facts["fileSystems"][system.mount_point]
        assert (found["device"], found["fsType"]) == (system.device, system.fs_type)
        assert found["neededForBoot"] is system.needed_for_boot
        assert set(system.options) <= set(found["options"])
    assert list(machine.swap) == facts["swap"]
    assert len(machine.tmpfiles) <= len(facts["tmpfiles"])
    if machine.ec2 is not None:
        assert machine.ec2.document().items() <= _without_null(facts["nixgen"]["ec2"]).items()


def user_says(user: User, found: dict[str, Any]) -> None:
    assert (found["isSystemUser"], found["isNormalUser"]) == (user.system, not user.system)
    assert found["group"] == user.name
    assert set(user.groups) <= set(found["extraGroups"])
    assert found["keys"] == list(user.authorized_keys)
    assert found["description"] == user.description
    for field in ("uid", "home"):
        if getattr(user, field) is not None:
            assert found[field] == getattr(user, field)
    if isinstance(user.shell, Package):
        assert user.shell.name in found["shell"]
    elif user.shell is not None:
        assert found["shell"] == user.shell


def _network_says(machine: Machine, facts: dict[str, Any], *, is_nixos: bool) -> None:
    network = machine.network
    if network is None:
        return
    assert facts["firewall"]["enable"] is network.firewall
    assert facts["domain"] == network.domain
    assert facts["nameservers"] == list(network.nameservers)
    # NixOS adds the domain
    assert facts["search"][: len(network.search)] == list(network.search)
    assert set(facts["gateways"]) == set(network.gateways)
    for interface in network.interfaces:
        found = facts["interfaces"][interface.name]
        # the shortest form of each: fd00::5 for fd00:0::5
        assert set(found["addresses"]) == {str(ip_interface(a)) for a in interface.addresses}
        assert (found["useDHCP"], found["mtu"]) == (interface.dhcp, interface.mtu)
    for address, names in network.hosts.items():
        assert facts["hosts"][address][: len(names)] == list(names)


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value


def machine_says(machine: Machine, answer: dict[str, Any]) -> None:
    """Both bases agree with each other about units and files, and with the model about everything."""
    for base in BASES:
        facts_say(machine, answer[base]["facts"], is_nixos=base == "nixos")
        for path, file in machine.files.items():
            if isinstance(file.content, str):
                assert answer[base]["etc"][path] == file.content
    nixos, debian = answer["nixos"], answer["debian"]
    assert debian["etc"] == {path: nixos["etc"][path] for path in debian["etc"]}
    for service in machine.services:
        ours, theirs = debian["units"][service.name], nixos["units"][service.name]
        assert meaning(ours) == meaning(theirs)
        unit_says(machine, theirs, service.name)
    assert set(nixos["facts"]["packages"]) >= set(debian["facts"]["packages"])


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Project]:
    folder = tmp_path_factory.mktemp("features")
    shutil.copytree(HERE / "features", folder, dirs_exist_ok=True)
    return folder, generate_at(folder)


#: machines with options that the Debian base does not have
ONLY_NIXOS = {"rented"}


def test_every_feature_means_on_both_bases_what_the_models_say(
    features: tuple[Path, Project],
) -> None:
    folder, project = features
    both = {machine.name: machine for machine in project.machines if machine.name not in ONLY_NIXOS}
    answers = values(folder, {name: (machine, None) for name, machine in both.items()})
    for name, machine in both.items():
        machine_says(machine, answers[name])
    metal = answers["metal"]
    for base in BASES:
        assert answers["master-0"][base]["facts"]["nixgen"]["cluster"]["role"] == "master"
        assert answers["worker-0"][base]["facts"]["nixgen"]["cluster"]["role"] == "worker"
        assert metal[base]["etc"]["by-hand"] == "by hand"
        assert sorted(metal[base]["facts"]["firewall"]["allowedTCPPorts"]) == [22, 81]
        assert metal[base]["facts"]["variables"]["PAGER"] == "cat"
        assert meaning(metal[base]["units"]["opened"])["[Service]"]["LimitNOFILE"] == ["65536"]
    assert answers["worker-0"]["nixos"]["facts"]["nixgen"]["cluster"] == {
        "id": 0,
        "role": "worker",
        "master": "master-0",
        "members": {"master-0": "10.7.1.10", "worker-0": None},
        "podNetwork": "10.32.0.0/12",
    }


def test_environments_lay_the_same_over_machines_on_both_bases(
    features: tuple[Path, Project],
) -> None:
    folder, project = features
    front, metal = project.machines[:2]
    prod, staging = project.environments
    asked = {
        "prod-front": (front, prod),
        "staging-front": (front, staging),
        "staging-metal": (metal, staging),
    }
    answers = values(folder, asked)
    for answer in answers.values():
        nixos, debian = answer["nixos"], answer["debian"]
        assert debian["etc"] == {path: nixos["etc"][path] for path in debian["etc"]}
        for name, text in debian["units"].items():
            assert meaning(text) == meaning(nixos["units"][name])
    for base in BASES:
        variables = meaning(answers["prod-front"][base]["units"]["app"])["[Service]"]["Environment"]
        assert '"MODE=prod"' in variables
        assert any(re.fullmatch(r'"ROOT=/nix/store/\w{32}-site/prod"', line) for line in variables)
        found = answers["staging-metal"][base]
        assert found["facts"]["firewall"]["allowedTCPPorts"] == [2222]
        assert found["facts"]["domain"] == "staging.example.org"
        assert found["facts"]["variables"]["STAGE"] == "staging"
        assert found["etc"]["stage"] == "staging"


def test_what_only_nixos_has_reaches_it(features: tuple[Path, Project]) -> None:
    folder, project = features
    rented = next(machine for machine in project.machines if machine.name == "rented")
    answer = values(folder, {"rented": (rented, None)}, debian=False)["rented"]
    facts_say(rented, answer["nixos"]["facts"], is_nixos=True)
    assert "nginx" in answer["nixos"]["facts"]["users"]


BATCH = 5


@settings(max_examples=2, phases=[Phase.generate])
@given(st.tuples(*(machines(f"m-{number}") for number in range(BATCH))))
def test_any_machine_means_the_same_on_both_bases(
    tmp_path_factory: pytest.TempPathFactory, batch: Sequence[Machine]
) -> None:
    project = Project("p", machines=batch)
    assert check(project) == ()
    folder = tmp_path_factory.mktemp("batch")
    generate(project, folder)
    answers = values(folder, {machine.name: (machine, None) for machine in batch})
    for machine in batch:
        machine_says(machine, answers[machine.name])


def test_the_descriptor_of_nixops_is_filled_in(features: tuple[Path, Project]) -> None:
    """Where NixOps has declared its options, lib/nixos/cluster.nix defines them."""
    folder, _ = features
    expression = f"""
      let
        lib = import (<tree> + "/lib");
        free = lib.mkOption {{ type = lib.types.attrsOf lib.types.unspecified; default = {{ }}; }};
      in
      (import (<tree> + "/nixos/lib/eval-config.nix") {{
        system = "x86_64-linux";
        modules = [
          {folder}/generated/machines/worker-0.nix
          {{ options.deployment = {{ targetEnv = free // {{ type = lib.types.str; }}; ec2 = free; }}; }}
        ];
      }}).config.deployment
    """
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "-I", f"tree={os.environ['NIXGEN_NIXPKGS']}", "--expr", expression],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "targetEnv": "ec2",
        "ec2": {
            "ami": "ami-0a1b2c3d",
            "associatePublicIpAddress": True,
            "blockDeviceMapping": {},
            "ebsInitialRootDiskSize": 40,
            "instanceType": "m5.large",
            "keyPair": "operators",
            "region": "eu-central-1",
            "securityGroupIds": ["sg-0a1b2c3d"],
            "subnetId": "subnet-0a1b2c3d",
            "usePrivateIpAddress": False,
            "zone": "eu-central-1a",
        },
    }
