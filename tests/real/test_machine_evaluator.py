"""The Debian base's module evaluator, units, users and firewall, by the real Nix, in one evaluation."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

_HERE = Path(__file__).parent
_MACHINE = _HERE.parent.parent / "nix/bases/debian/machine"


def _nix(file: str, **arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["nix-instantiate", "--eval", "--strict", "--json", str(_HERE / file)]
    argv += ["--arg", "machine", str(_MACHINE)]
    for name, value in arguments.items():
        argv += ["--argstr", name, value]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def answers() -> Any:
    done = _nix("test_machine_cases.nix")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("hostNameDefault", "web"),
        ("hostNameSet", "a"),
        ("agreeing", "a"),
        ("defaultYields", "a"),
        ("forceWins", "b"),
        ("strongerOverride", "c"),
        ("mergeOfConditions", "yes"),
        ("conflictFails", True),
        ("conflictOfDefaultsFails", True),
        ("listsConcatenate", [1, 2, 3]),
        ("listOrder", [1, 2, 3]),
        ("listForce", [1]),
        ("itemCondition", [1]),
        ("linesJoin", "first\nsecond"),
        ("environmentMerges", {"A": "3", "B": None, "C": 2}),
        ("undefinedNamesVanish", []),
        ("unitListsConcatenate", ["one", "two"]),
        ("unitScalarsConflict", True),
        ("conditionReadsConfiguration", False),
        ("falseConditionOverEverything", "web"),
        ("unchangedByNeighbours", 999),
    ],
)
def test_merging_follows_nixos(answers: Any, case: str, expected: object) -> None:
    assert answers[case] == expected


def test_imports_of_every_kind_come_before_what_imports_them(answers: Any) -> None:
    networking = answers["importsOfEveryKind"]
    assert networking["firewall"]["allowedTCPPorts"] == [1, 2, 3]
    assert networking["hosts"] == {"10.0.0.1": ["web"]}


def test_a_unit_reads_as_nixos_writes_it(answers: Any) -> None:
    unit = dict(answers["unit"])
    text = unit.pop("web.service")["text"]
    scripts = [line for line in text.splitlines() if "/scripts/" in line]
    assert [line.split("?")[0] for line in scripts] == [
        "ExecStartPost=/scripts/web-post-start",
        "ExecStartPre=/scripts/web-pre-start",
    ]
    assert [line for line in text.splitlines() if "/scripts/" not in line] == [
        "[Unit]",
        "After=network.target a.service",
        "ConditionPathExists=/a",
        "ConditionPathExists=/b",
        "Description=Web",
        "",
        "[Service]",
        'Environment="EMPTY="',
        'Environment="PATH=/nix/store/x/bin:/nix/store/x/sbin:/usr/sbin:/usr/bin"',
        'Environment="PORT=80"',
        r'Environment="QUOTED=a \"b\" \\ c\nd"',
        "DynamicUser=true",
        "ExecStart=/nix/store/x/bin/web -p 80",
        "ExecStartPre=/bin/true",
        "LimitNOFILE=1024",
        "PrivateTmp=false",
    ]
    assert text.index("web-pre-start") < text.index("ExecStartPre=/bin/true")
    assert unit == {
        "multi-user.target.wants/web.service": {"link": "../web.service"},
        "b.target.requires/web.service": {"link": "../web.service"},
    }


def test_a_script_becomes_the_start_command(answers: Any) -> None:
    assert "ExecStart=/scripts/job-start?" in answers["scriptUnit"]


def test_a_disabled_unit_is_masked_and_wanted_by_nothing(answers: Any) -> None:
    assert answers["disabledUnit"] == {"off.service": {"link": "/dev/null"}}


def test_numbers_of_users_are_stable(answers: Any) -> None:
    users = answers["users"]
    assert users["passwd"] == [
        # 998 is db's own, so zoe gets the next below
        "zoe:x:997:999::/var/empty:/usr/sbin/nologin",
        "db:x:998:998::/var/lib/db:/usr/sbin/nologin",
        "app:x:999:999::/var/empty:/usr/sbin/nologin",
        "eve:x:1000:100::/home/eve:/bin/bash",
    ]
    assert users["group"] == ["wheel:x:10:eve", "media:x:997:eve,app", "db:x:998:", "app:x:999:"]
    assert users["homes"] == [
        {"path": "/var/lib/db", "uid": 998, "gid": 998},
        {"path": "/home/eve", "uid": 1000, "gid": 100},
    ]


def test_the_firewall_opens_what_is_declared(answers: Any) -> None:
    lines = [line.strip() for line in answers["firewall"].splitlines()]
    assert "type filter hook input priority filter; policy drop;" in lines
    assert "tcp dport { 80, 443 } accept" in lines
    assert [line for line in lines if "udp" in line] == ["udp dport 8000-8010 accept"]


def test_networks_settings_and_keys_become_files(answers: Any) -> None:
    files = answers["networked"]["files"]
    assert files["nixgen/network"]["text"].splitlines() == [
        "address add 192.168.1.1/24 dev eth0",
        "link set eth0 up",
        "address add 10.0.0.2/24 dev eth7",
        "address add fd00::2/64 dev eth7",
        "link set eth7 mtu 1400",
        "link set eth7 up",
        "route add default via 10.0.0.1",
        "route add default via fd00::1",
    ]
    assert files["resolv.conf"]["text"] == (
        "nameserver 10.0.0.3\nnameserver fd00::3\nsearch example.org\n"
    )
    assert "127.0.1.1 web.example.org web\n" in files["hosts"]["text"]
    assert files["sysctl.d/60-nixos.conf"]["text"] == "net.ipv4.ip_forward=1\nvm.swappiness=10\n"
    assert files["modules-load.d/nixos.conf"]["text"] == "br_netfilter\n"
    assert "systemd/system/systemd-modules-load.service" not in files
    assert files["ssh/authorized_keys.d/ann"]["text"] == "ssh-ed25519 AAAA ann\n"
    assert answers["networked"]["cmdline"].endswith(" panic=5")


def test_members_of_a_cluster_know_each_other_and_open_what_their_groups_let_in(
    answers: Any,
) -> None:
    files = answers["clustered"]
    assert "10.0.1.10 master-0 api" in files["hosts"]["text"].splitlines()
    assert "worker-0" not in files["hosts"]["text"]
    assert "tcp dport 6443-6443 accept" in files["nixgen/firewall.nft"]["text"]


def test_a_machine_is_described_as_a_test_of_one_node(answers: Any) -> None:
    document = answers["machineDocument"]
    assert document["schema"] == "nixgen/vm/1"
    assert document["testScript"] == ""
    (node,) = document["nodes"]
    assert node["addresses"] == {"1": "192.168.1.1"}
    assert (node["kernel"], node["initrd"]) == ("/stub/linux/vmlinuz", "/stub/initrd/initrd")
    assert node["toplevel"] == "/stub/machine-web"


def test_nodes_are_numbered_by_name_and_merged_from_all_modules(answers: Any) -> None:
    document = answers["testDocument"]
    assert document["testScript"] == "names: a b"
    first, second = document["nodes"]
    assert (first["name"], first["memory"], first["cores"]) == ("a", 256, 2)
    assert first["addresses"] == {"7": "192.168.7.1"}
    assert (second["name"], second["vlans"]) == ("b", [1, 7])
    assert second["addresses"] == {"1": "192.168.1.2", "7": "192.168.7.2"}
    assert second["toplevel"] == "/stub/machine-b-host"


# Refused by what one definition says, which is on a line; the others are wrong as a whole.
_ON_A_LINE = {
    *("unknownOption", "misspelt", "wrongType", "wrongPort", "notASet", "conflict"),
    *("declares", "besideConfig", "nodeOption", "optionOfANode"),
}


@pytest.mark.parametrize(
    ("case", "fragments"),
    [
        ("unknownOption", ("`services.nginx.enable` is not known", "systemd", "HINT")),
        ("misspelt", ("did you mean `systemd.services.app.serviceConfig`",)),
        ("wrongType", ("`networking.firewall.allowedTCPPorts`", 'is "80"')),
        ("wrongPort", ("a port number", "is 65536")),
        ("notASet", ("`networking` must be a set, and is true",)),
        ("conflict", ('"a" and "b"', "and in", "lib.mkForce")),
        ("argument", ("the argument `nmae`", "known here: config, lib")),
        ("declares", ("declares options of its own", "HINT")),
        ("besideConfig", ("`networking` is beside it",)),
        ("nodeOption", ("`virtualisation.memorySize` is not known",)),
        ("sameUid", ("uid of a and b is 7",)),
        ("missingGroup", ("the group staff is used and not defined",)),
        ("takenService", ("systemd.services.firewall is a service of the base",)),
        ("emptyFile", ("environment.etc.a has neither `text` nor `source`",)),
        ("twoFiles", ("environment.etc.a has both `text` and `source`",)),
        ("hostName", ("`web.1` is not a host name",)),
        ("noNodes", ('test "web": it has no machines',)),
        ("optionOfANode", ('test "web", machine "web"', "`boot.loader.enable` is not known")),
        ("tooManyNetworks", ("virtualisation.vlans has 255",)),
        ("neitherKind", ("users.users.a must set one of isSystemUser and isNormalUser",)),
    ],
)
def test_what_is_refused_says_why_and_where(case: str, fragments: tuple[str, ...]) -> None:
    done = _nix("test_machine_failures.nix", case=case)
    assert done.returncode != 0
    for fragment in fragments:
        assert fragment in done.stderr
    if case in _ON_A_LINE:
        assert "test_machine_failures.nix:" in done.stderr, "the line that defines it"


def test_text_that_would_become_a_line_of_its_own_is_refused_in_every_option() -> None:
    done = _nix("test_machine_failures.nix", case="hostile")
    assert done.returncode == 0, done.stderr
    accepted = json.loads(done.stdout)
    assert len(accepted) > 30
    assert {name for name, is_accepted in accepted.items() if is_accepted} == {"harmless"}


@pytest.mark.parametrize(
    ("case", "fragments"),
    [
        ("description", ("`systemd.services.a.description` contains", r'"\n"', "a unit file")),
        ("descriptionReturn", (r'"\r"',)),
        ("descriptionBackslash", ("ends with a backslash",)),
        ("setting", ("`systemd.services.a.serviceConfig.ExecStart` contains",)),
        ("gecos", ("`users.users.a.description` contains", '":"', "/etc/passwd")),
        ("user", (r'`users.users."a:x:0:0"` has a name that is not the name of a user',)),
        ("etcMode", ("`environment.etc.a.mode` is not a mode",)),
    ],
)
def test_such_a_text_is_refused_with_its_option_and_character(
    case: str, fragments: tuple[str, ...]
) -> None:
    done = _nix("test_machine_failures.nix", case=case)
    assert done.returncode != 0
    for fragment in (*fragments, "test_machine_failures.nix:"):
        assert fragment in done.stderr


@pytest.mark.parametrize(
    ("user", "home", "fault"),
    [("a", "/srv/a", None), ("a", "/x:/bin/sh", '":"'), ("a", "/x\nb:x:0:0::/:/bin/sh", r'"\n"')],
)
def test_an_account_of_an_image_is_one_line_of_passwd(
    user: str, home: str, fault: str | None
) -> None:
    lines = _MACHINE.parents[2] / "lib/lines.nix"
    expression = "{ lines, user, home }: (import lines).accounts ''image \"a\"'' { ${user} = { inherit home; }; }"
    argv = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", expression]
    argv += ["--arg", "lines", str(lines), "--argstr", "user", user, "--argstr", "home", home]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    if fault is None:
        assert json.loads(done.stdout) == {user: {"home": home}}
    else:
        assert 'image "a": the account "a" contains ' + fault in done.stderr
