"""Checks of a project's options against a small list: the problems and their messages."""

from __future__ import annotations

import time
from typing import Any

import pytest

from nixgen.models import Package, mk_default, mk_force
from nixgen.options.checking import Findings, check_definitions
from nixgen.options.closest import closest
from nixgen.options.definitions import Definition
from nixgen.options.stub import Declaration, Provenance, Stub

_PORT = "16 bit unsigned integer; between 0 and 65535 (both inclusive)"

STUB = Stub.of(
    [
        Declaration(path=tuple(path.split("/")), type=words)
        for path, words in {
            "boot/kernelPackages": "unspecified",
            "environment/systemPackages": "list of package",
            "fileSystems": "attribute set of (submodule)",
            "fileSystems/<name>/device": "null or string",
            "fileSystems/<name>/fsType": "string",
            "networking/firewall/allowedTCPPorts": f"list of {_PORT}",
            "networking/hostName": "string",
            "services/nginx/enable": "boolean",
            "services/nginx/package": "package",
            "services/nginx/virtualHosts": "attribute set of (submodule)",
            "services/nginx/virtualHosts/<name>/root": "null or path",
            "services/nginx/virtualHosts/<name>/locations": "attribute set of (submodule)",
            "services/nginx/virtualHosts/<name>/locations/<name>/proxyPass": "null or string",
            "services/nginx/virtualHosts/<name>/ssl/protocols": "list of string",
            "services/openssh/settings": "submodule",
            "services/openssh/settings/PasswordAuthentication": "boolean",
            "services/openssh/settings/limits/logins": "signed integer",
            "services/postgresql/enable": "boolean",
            "services/postgresql/dataDir": "path",
            "services/postgrey/enable": "boolean",
            "services/unknown/list": "list of string or (submodule)",
            "services/tagged": "attribute-tagged union with choices: disk, net",
            "services/tagged/disk": "path",
            "services/tagged/net": "signed integer",
            "swapDevices": "list of (submodule)",
            "swapDevices/*/device": "path",
            "swapDevices/*/size": "null or signed integer",
            "time/timeZone": "null or string",
        }.items()
    ]
    + [
        Declaration(
            path=("services", "openssh", "settings"),
            freeform="attribute set of (boolean or string)",
        ),
        Declaration(path=("system", "nixos", "release"), type="string", read_only=True),
        Declaration(
            path=("services", "pg", "enable"), type="boolean", renamed="services.postgresql.enable"
        ),
        Declaration(
            path=("services", "rkt"), type="unspecified", removed="use services.podman instead"
        ),
        Declaration(path=("services", "fourStore"), type="unspecified", removed=""),
    ],
    Provenance(release="24.11"),
)


def check(options: dict[str, Any]) -> Findings:
    return check_definitions(
        (
            Definition(
                model_path=f"machines.web.options[{path!r}]",
                path=tuple(path.split(".")),
                value=value,
                where="infra.py:7",
            )
            for path, value in options.items()
        ),
        STUB,
    )


SOUND: list[dict[str, Any]] = [
    {"services.nginx.enable": True},
    {"services.nginx": {"enable": False, "package": Package("nginx")}},
    {"services": {"nginx": {"virtualHosts": {"example.org": {"root": None}}}}},
    {"services.nginx.virtualHosts.a.locations": {"/": {"proxyPass": "http://x"}}},
    {"services.nginx.virtualHosts.a.ssl": {"protocols": ["TLSv1.3"]}},
    {"services.openssh.settings": {"PasswordAuthentication": False, "X11Forwarding": True}},
    {"services.openssh.settings.X11Forwarding": "yes"},
    {"services.openssh.settings.limits": {"logins": 3}},
    {"services.tagged": {"disk": "/x"}},
    {"services.tagged.net": 1},
    {"services.unknown.list": [{"whatever": 1}, "a"]},
    {"swapDevices": [{"device": "/swap", "size": 1024}]},
    {"networking.firewall.allowedTCPPorts": mk_force([80])},
    {"services.nginx": mk_default({"enable": mk_force(True)})},
    {"boot.kernelPackages": Package("linuxPackages")},
    # what modules have beside options
    {"fileSystems": {"/": {"imports": [], "device": "/dev/vda"}}},
    {"services.unknown": {}},
]


@pytest.mark.parametrize("options", SOUND, ids=repr)
def test_correct_values_are_accepted(options: dict[str, Any]) -> None:
    assert check(options) == Findings()


#: options → path of the problem below the model's, what it says, what to do
WRONG: list[tuple[dict[str, Any], str, str, str | None]] = [
    (
        {"services.postgres.enable": True},
        "",
        "NixOS 24.11 has no option services.postgres",
        "did you mean services.postgresql.enable or services.postgrey.enable?",
    ),
    (
        {"services.nginx.enabled": True},
        "",
        "NixOS 24.11 has no option services.nginx.enabled",
        "did you mean services.nginx.enable?",
    ),
    (
        {"services.nginx.enable": "yes"},
        "",
        "must be of the type boolean, not str 'yes'",
        "write True",
    ),
    (
        {"services.nginx.enable": mk_force("yes")},
        "",
        "must be of the type boolean, not str 'yes'",
        "write True",
    ),
    (
        {"services.nginx.package": "nginx"},
        "",
        "must be of the type package, not str 'nginx'",
        "write Package('nginx')",
    ),
    (
        {"environment.systemPackages": [Package("vim"), "hello"]},
        "[1]",
        "must be of the type package, not str 'hello'",
        "write Package('hello')",
    ),
    (
        {"networking.firewall.allowedTCPPorts": [80, "443"]},
        "[1]",
        f"must be of the type {_PORT}, not str '443'",
        "write 443",
    ),
    (
        {"networking.firewall.allowedTCPPorts": 80},
        "",
        f"must be of the type list of {_PORT}, not int 80",
        "write [80]",
    ),
    (
        {"networking.hostName": Package("hello")},
        "",
        "must be of the type string, not Package('hello')",
        'a path in it is written with /, as in Package("nginx") / "bin/nginx"',
    ),
    (
        {"services.nginx.virtualHosts": {"a.b": {"rooot": "/"}}},
        "['a.b']['rooot']",
        'NixOS 24.11 has no option services.nginx.virtualHosts."a.b".rooot',
        'did you mean services.nginx.virtualHosts."a.b".root?',
    ),
    (
        {"services.nginx.virtualHosts": {"a": {"locations": {"/": {"proxyPass": 1}}}}},
        "['a']['locations']['/']['proxyPass']",
        "must be of the type null or string, not int 1",
        "write '1'",
    ),
    (
        {"services.nginx.virtualHosts.a.ssl": {"protocol": []}},
        "['protocol']",
        "NixOS 24.11 has no option services.nginx.virtualHosts.a.ssl.protocol",
        "did you mean services.nginx.virtualHosts.a.ssl.protocols?",
    ),
    (
        {"swapDevices": [{"device": "/swap"}, {"devise": "/swap"}]},
        "[1]['devise']",
        "NixOS 24.11 has no option swapDevices[1].devise",
        None,
    ),
    (
        {"services.openssh.settings": {"Ports": [1]}},
        "['Ports']",
        "must be of the type boolean or string, not list [1]",
        "for example True",
    ),
    (
        {"services.openssh.settings": {"limits": {"logins": "3"}}},
        "['limits']['logins']",
        "must be of the type signed integer, not str '3'",
        "write 3",
    ),
    (
        {"services.tagged": {"disk": "/x", "net": 1}},
        "",
        "must be of the type attribute-tagged union with choices: disk, net, not dict {'disk': '/x', 'net': 1}",
        None,
    ),
    (
        {"services.tagged.net": "1"},
        "",
        "must be of the type signed integer, not str '1'",
        "write 1",
    ),
    (
        {"services.nginx": True},
        "",
        "services.nginx is a set of options, not a single one that could be True",
        "set what is in it, such as services.nginx.enable and services.nginx.package",
    ),
    (
        {"services.nginx.enable.now": True},
        "",
        "services.nginx.enable is an option of the type boolean, and has none below it",
        None,
    ),
    (
        {"system.nixos.release": "24.11"},
        "",
        "system.nixos.release is read-only: NixOS itself sets it",
        "remove it",
    ),
    (
        {"services.rkt.enable": True},
        "",
        "services.rkt was removed from NixOS: use services.podman instead",
        None,
    ),
    ({"services.fourStore": {}}, "", "services.fourStore was removed from NixOS", None),
    (
        {"postgresql.enable": True},
        "",
        "NixOS 24.11 has no option postgresql",
        "did you mean services.postgresql.enable?",
    ),
    (
        {"quux": 1},
        "",
        "NixOS 24.11 has no option quux",
        "nixgen inputs options WORD lists the options that have a word in them",
    ),
]


@pytest.mark.parametrize(("options", "inside", "message", "hint"), WRONG, ids=lambda value: None)
def test_each_wrong_value_has_its_message(
    options: dict[str, Any], inside: str, message: str, hint: str | None
) -> None:
    [problem] = check(options).problems
    [path] = options
    assert problem.path == f"machines.web.options[{path!r}]{inside}"
    assert problem.message == message
    assert problem.where == "infra.py:7"
    if hint is not None:
        assert problem.hint == hint


def test_all_problems_are_reported_at_once_in_order() -> None:
    options = {path: value for each, *_ in WRONG for path, value in each.items()}
    found = check(options).problems
    assert [problem.path.partition("]")[0] for problem in found] == [
        f"machines.web.options[{path!r}".partition("]")[0] for path in options
    ]


def test_old_names_are_accepted_with_a_note() -> None:
    found = check({"services.pg.enable": True})
    assert found.problems == ()
    [note] = found.notes
    assert note.message == "services.pg.enable is an old name of services.postgresql.enable"
    assert note.hint == "write services.postgresql.enable"
    assert check({"services.pg.enable": 1}).problems  # of the same type


def test_a_machine_with_unknown_modules_may_have_further_options() -> None:
    definitions = [
        Definition(model_path="o", path=("services", "mine", "enable"), value=True, extended=True),
        Definition(model_path="o", path=("services", "nginx", "enable"), value=1, extended=True),
        Definition(model_path="o", path=("services", "nginx"), value=1, extended=True),
    ]
    found = check_definitions(definitions, STUB).problems
    assert [problem.message.partition(",")[0] for problem in found] == [
        "must be of the type boolean",
        "services.nginx is a set of options",
    ]


def test_messages_mention_a_list_of_the_documentation() -> None:
    stub = Stub.of([Declaration(path=("a",), type="string")], Provenance(complete=False))
    [problem] = check_definitions([Definition(model_path="o", path=("b",), value=1)], stub).problems
    assert problem.message == "NixOS has no option b"
    assert "leaves out internal and old options" in str(problem.hint)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("services.postgres.enabel", "services.postgresql.enable"),
        ("servces.nginx.virtualHosts.a.root", "services.nginx.virtualHosts.a.root"),
        ("networking.hostname", "networking.hostName"),
        ("firewall.allowedTCPPorts", "networking.firewall.allowedTCPPorts"),
        ("nginx.enable", "services.nginx.enable"),
        (
            "services.openssh.passwordAuthentication",
            "services.openssh.settings.PasswordAuthentication",
        ),
        ("systems.nginx.enable", "services.nginx.enable"),
    ],
)
def test_the_closest_names_are_suggested(path: str, meant: str) -> None:
    assert closest(path.split("."), STUB.root)[:1] == (meant,)


def test_the_time_for_the_closest_names_grows_with_the_number_of_options_alone() -> None:
    def seconds(services: int) -> float:
        stub = Stub.of(
            [
                Declaration(path=("services", f"s{service}", f"option{option}"), type="boolean")
                for service in range(services)
                for option in range(50)
            ],
            Provenance(),
        )
        start = time.process_time()
        assert closest(("services", "s1234", "option7"), stub.root)
        assert not closest(("quux", "option7x"), stub.root)
        return time.process_time() - start

    few = min(seconds(40) for _ in range(3))
    # ten times as many options; comparing all pairs would take a hundred times as long
    assert seconds(400) < 40 * few
