"""A `Test` as a NixOS test module. A test without a script gets one from the services of its
machines.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Container, Iterable, Iterator

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope, attribute, string
from nixgen.models import CommandCheck, Generated, HttpCheck, Machine, Package, Service, Test
from nixgen.models.rules.secrets import file_of, secrets_of
from nixgen.models.test import variable_name
from nixgen.syntax import Expr

__all__ = ["implied_packages", "test_module"]

_CURL = Package("curl")


def test_module(test: Test, clustered: Container[Machine]) -> Expr:
    """The NixOS test module of a test.

    :param test: Test to describe.
    :param clustered: Machines that belong to a cluster.
    """
    scope = Scope()
    derived = test.script is None
    secrets = {name: files for name, files in _secrets(test) if files}
    prelude = (scope.config("nixgen", "prelude"),) if secrets else ()
    script = _derived(scope, test) if test.script is None else (test.script,)
    bindings: dict[str | tuple[str, ...], Expr] = {
        "name": nix.Str(test.name),
        "testScript": string((*prelude, *script)),
    }
    if secrets:
        bindings["imports"] = nix.List((scope.library_path("nixos/secrets.nix"),))
    for name, files in secrets.items():
        bindings["nixgen", "secrets", name] = nix.List(files)
    for machine in test.machines:
        node = _node(scope, machine, with_curl=derived, clustered=machine in clustered)
        bindings["nodes", machine.name] = nix.Mark(node, machine.origin)
    return scope.module(nix.Mark(nix.AttrSet(bindings), test.origin))


def _node(scope: Scope, machine: Machine, *, with_curl: bool, clustered: bool) -> Expr:
    bindings: dict[str | tuple[str, ...], Expr] = {
        "imports": nix.List((nix.Path(f"../machines/{machine.name}.nix"),)),
        ("virtualisation", "cores"): nix.Int(machine.cores),
        ("virtualisation", "diskSize"): nix.Int(machine.disk),
        ("virtualisation", "memorySize"): nix.Int(machine.memory),
    }
    if with_curl and _asks_over_http(machine):
        # the script sends its requests from inside the machine, which has no HTTP client of its own
        bindings["environment", "systemPackages"] = nix.List((attribute(_CURL.name),))
    if clustered:
        # nobody has their address on EC2 here; names are those of the test's own networks
        bindings["nixgen", "cluster", "members"] = nix.Call(scope.lib("mkForce"), (nix.AttrSet(),))
    return nix.AttrSet(bindings)


def _secrets(test: Test) -> Iterator[tuple[str, list[Expr]]]:
    """Yield the secrets of each machine, without the values that the user gave."""
    values = {file_of(secret): value for secret, value in test.secrets.items()}
    for machine in test.machines:
        yield (
            machine.name,
            [
                nix.AttrSet(_secret(secret.name, path, values.get(path, Generated())))
                for path, secret in secrets_of(machine).items()
            ],
        )


def _secret(name: str, path: str, value: str | Generated) -> dict[str, Expr]:
    """Describe a secret: the options of ``lib/nixos/secrets.nix`` that differ from their defaults."""
    described: dict[str, Expr] = {"name": nix.Str(name), "file": nix.Str(path)}
    if isinstance(value, str):
        described["given"] = nix.Bool(True)
        return described
    default = Generated()
    if value.length != default.length:
        described["length"] = nix.Int(value.length)
    if value.alphabet != default.alphabet:
        described["alphabet"] = nix.Str(value.alphabet)
    return described


def _derived(scope: Scope, test: Test) -> Iterator[str | Expr]:
    """Yield the derived script: every unit starts, every port opens, every health check passes."""
    yield "start_all()\n"
    for machine in test.machines:
        variable = variable_name(machine)
        for service in machine.services:
            yield f'\nwith subtest("{machine.name}: {service.name} is up"):\n'
            yield f'    {variable}.wait_for_unit("{service.name}.service")\n'
            for port in service.ports:
                if port.protocol == "tcp":
                    yield f"    {variable}.wait_for_open_port({port.number})\n"
            yield from _health(scope, variable, service)


def _health(scope: Scope, variable: str, service: Service) -> Iterator[str | Expr]:
    check = service.health
    if isinstance(check, HttpCheck):
        port = service.health_port()
        number = port.number if port else 80  # the models' check leaves no other case
        url = f"http://localhost:{number}{check.path}"
        # curl would take brackets and braces for a list of URLs, and resolve the dots of a path itself
        status = f"curl --globoff --path-as-is -sS -o /dev/null -w '%{{http_code}}' {shlex.quote(url)} | grep -qx {check.status}"
        yield f"    {variable}.wait_until_succeeds({status!r})\n"
        if check.contains is not None:
            # compared here: grep reads lines, and an empty one is found everywhere
            body = f"{variable}.succeed({f'curl --globoff --path-as-is -sS {shlex.quote(url)}'!r})"
            yield f"    assert {_python(check.contains)} in {body}, (\n"
            yield f"        {_python(f'{url} answers without {check.contains!r}')}\n    )\n"
    elif isinstance(check, CommandCheck):
        yield f'    {variable}.wait_until_succeeds("'
        for index, word in enumerate(check.command):
            yield " " if index else ""
            for part in scope.parts(word):
                # a store path holds nothing that a shell or Python would read otherwise
                yield _python(shlex.quote(part))[1:-1] if isinstance(part, str) else part
        yield '")\n'


def _python(text: str) -> str:
    """A Python string in double quotes: JSON's escapes are a subset of Python's."""
    return json.dumps(text, ensure_ascii=False)


def implied_packages(tests: Iterable[Test]) -> tuple[Package, ...]:
    """The packages that derived scripts use beside the packages of the project.

    :param tests: Tests of the project.
    """
    asks = any(test.script is None and any(map(_asks_over_http, test.machines)) for test in tests)
    return (_CURL,) if asks else ()


def _asks_over_http(machine: Machine) -> bool:
    return any(isinstance(service.health, HttpCheck) for service in machine.services)
