"""Options and modules of NixOS: wrong values, paths, and the merge of several definitions."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import (
    ConfigFile,
    Machine,
    NixModule,
    Project,
    Property,
    Secret,
    check,
    mk_force,
    option_path,
    text,
)
from nixgen.models.nixos import merged, options_at


def machine(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", **fields)])


FAULTS = {
    "option path": (machine(options={"services.": True}), "machines.m.options['services.']"),
    "option path of an address": (
        machine(options={"networking.hosts.10.0.0.1": []}),
        "machines.m.options['networking.hosts.10.0.0.1']",
    ),
    "option value": (machine(options={"a": {1, 2}}), "machines.m.options['a']"),
    "option value inside": (
        machine(options={"a": {"b": [object()]}}),
        "machines.m.options['a']['b'][0]",
    ),
    "option is a secret": (machine(options={"a.b": Secret("x")}), "machines.m.options['a.b']"),
    "secret in an option's text": (
        machine(options={"a": {"b": text("${s}", s=Secret("x"))}}),
        "machines.m.options['a']['b']",
    ),
    "option is infinite": (machine(options={"a": float("inf")}), "machines.m.options['a']"),
    "option is too large": (machine(options={"a": 2**63}), "machines.m.options['a']"),
    "option name is a number": (machine(options={"a": {1: 2}}), "machines.m.options['a'][1]"),
    "options are a list": (machine(options=["a"]), "machines.m.options"),
    "option twice": (machine(options={"a.b": 1, "a": {"b": 2}}), "machines.m.options['a']"),
    "option inside of a value": (machine(options={"a": 1, "a.b": 2}), "machines.m.options['a.b']"),
    "secret in a property": (
        machine(options={"a": mk_force(Secret("x"))}),
        "machines.m.options['a'].value",
    ),
    "module is absolute": (
        machine(modules=[NixModule("/etc/x.nix")]),
        "machines.m.modules[0].path",
    ),
    "module is text": (machine(modules=["x.nix"]), "machines.m.modules[0]"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("a", ("a",)),
        ("services.nginx.enable", ("services", "nginx", "enable")),
        ('networking.hosts."10.0.0.1"', ("networking", "hosts", "10.0.0.1")),
        ("a-b.c'._d", ("a-b", "c'", "_d")),
        ("", None),
        (".a", None),
        ("a..b", None),
        ("1a", None),
        ('"a', None),
        ('"a"b', None),
        ('"${x}"', None),
        ("a b", None),
    ],
)
def test_paths_are_written_as_in_nix(path: str, names: tuple[str, ...] | None) -> None:
    assert option_path(path) == names


def test_options_inside_of_others_are_put_into_them() -> None:
    options = {"a.b.c": 1, "a": {"b": {"d": 2}, "e": 3}, "f.g": 4}
    assert merged(options_at(options)) == {
        ("a",): {"b": {"d": 2, "c": 1}, "e": 3},
        ("f", "g"): 4,
    }


def after(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The options of two layers by their dotted paths; a property is shown as function and value."""

    def shown(value: Any) -> Any:
        if isinstance(value, Property):
            return (value.function, shown(value.value))
        return (
            {key: shown(item) for key, item in value.items()} if isinstance(value, dict) else value
        )

    result = merged([*options_at(first), *options_at(second)])
    return {".".join(path): shown(value) for path, value in result.items()}


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ({"a.b": 1}, {"a.b": 2}, {"a.b": 2}),
        ({"a.b": ("x",)}, {"a.b": ("y",)}, {"a.b": ("y",)}),
        ({"a.b": {"c": 1, "d": 1}}, {"a.b": {"c": 2}}, {"a.b": {"c": 2, "d": 1}}),
        # the second path is shorter
        ({"a.b.c": 1, "a.b.d": 1}, {"a.b": {"c": 2}}, {"a.b": {"c": 2, "d": 1}}),
        ({"a.b.c": 1, "a.b.d": 1}, {"a.b": ("x",)}, {"a.b": ("x",)}),
        ({"a.b.c.d": 1, "a.e": 1}, {"a": {"b": {"c": 2}}}, {"a": {"b": {"c": 2}, "e": 1}}),
        ({"a.b.c": 1}, {"a.b": mk_force({"d": 2})}, {"a.b": ("mkForce", {"d": 2})}),
        # the second path is longer
        ({"a.b": {"c": 1, "d": 1}}, {"a.b.c": 2}, {"a.b": {"c": 2, "d": 1}}),
        ({"a": {"b": ("x",)}}, {"a.b.c": 2}, {"a": {"b": {"c": 2}}}),
        (
            {"a.b": mk_force({"c": 1, "d": 1})},
            {"a.b.c": 2},
            {"a.b": ("mkForce", {"c": 2, "d": 1})},
        ),
        # the paths have a beginning in common
        ({"a.b.c": 1}, {"a.b.d": 2, "a.bb": 3}, {"a.b.c": 1, "a.b.d": 2, "a.bb": 3}),
    ],
)
def test_the_later_definition_counts_whatever_the_lengths_of_the_paths(
    first: dict[str, Any], second: dict[str, Any], result: dict[str, Any]
) -> None:
    assert after(first, second) == result


@pytest.mark.parametrize(
    "number", [2**63, -(2**63) - 1, 10**5000], ids=["above", "below", "too long to write"]
)
def test_a_number_that_nix_cannot_hold_is_a_problem_of_its_option(number: int) -> None:
    machine = Machine("m", options={"a.b": number}, cores=number)
    places = {problem.path for problem in check(Project("p", machines=[machine]))}
    assert places == {"machines.m.options['a.b']", "machines.m.cores"}


LINES = {
    "systemd.services.a.description": "x\n[Service]\nUser=root",
    "systemd.services.a.serviceConfig.WorkingDirectory": "/x\rExecStartPre=+/bin/sh",
    "systemd.services.a.unitConfig.ConditionPathExists": "/x\\",
    "systemd.tmpfiles.rules": ["d /x", "d /y\nf+ /etc/passwd - - - - x"],
    "users.users.a.description": "x:0:0",
    "users.users.a.shell": text("/bin/sh\n${x}", x=ConfigFile("x", "")),
    "users.users.a.openssh.authorizedKeys.keys": ["ssh-ed25519 A\nssh-ed25519 B"],
    "boot.kernelParams": mk_force(["quiet init=/bin/sh"]),
    "boot.kernelModules": ["a\nb"],
    "fileSystems.data.options": ["ro\n/dev/vdb / ext4"],
    "networking.domain": "a b",
    'networking.hosts."10.0.0.1"': ["a\n10.0.0.2 b"],
    "networking.nameservers": ["10.0.0.1\noptions debug"],
    "systemd.timers.a.timerConfig.OnCalendar": "daily\n[Install]",
    "systemd.network.networks.a.networkConfig.DHCP": "yes\n[Route]",
    "systemd.user.services.a.serviceConfig.ExecStart": "/bin/a\n/bin/b",
    "users.users.a.extraGroups": ["b,c"],
    'boot.kernel.sysctl."kernel.domainname"': "x\nkernel.core_pattern=|/bin/sh",
}


@pytest.mark.parametrize("option", LINES)
def test_an_option_whose_text_would_become_a_line_is_refused_at_the_users_line(option: str) -> None:
    (problem,) = check(machine(options={option: LINES[option]}))
    assert problem.path.startswith(f"machines.m.options[{option!r}]")
    assert problem.where is not None
    assert problem.where.startswith(__file__)
    # the same inside dicts
    outer, _, name = option.rpartition(".")
    if name.isalnum():
        (problem,) = check(machine(options={outer: mk_force({name: LINES[option]})}))
        assert f"[{name!r}]" in problem.path


def test_options_whose_texts_are_one_line_are_accepted() -> None:
    options = {
        "systemd.services.a.description": "100%% = [x]; y\n",
        "systemd.services.a.serviceConfig.ExecStart": ["", "/bin/sh -c \\\n  'a b'\n"],
        "systemd.services.a.script": "one\ntwo\n",
        "systemd.services.a.environment.A": "one\ntwo",
        "boot.kernelParams": ['dyndbg="file a.c +p"'],
        "users.users.a.openssh.authorizedKeys.keys": ["ssh-ed25519 A\n"],
        "services.nginx.appendConfig": "one\ntwo:",
    }
    assert check(machine(options=options)) == ()
