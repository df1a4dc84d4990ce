"""Rules between secrets: the values that tests give them, and the files that they have."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from nixgen.errors import Problem
from nixgen.models.checks import repeated
from nixgen.models.core import at
from nixgen.models.files import Secret
from nixgen.models.machine import Machine
from nixgen.models.project import Project
from nixgen.models.service import Service
from nixgen.models.test import Generated, Test

__all__ = ["RULES", "file_of", "secrets_of"]

_CREDENTIALS_LIMIT = 1 << 20
"""Bytes of the names and values of all secrets of a service. It is systemd's own limit
(CREDENTIALS_TOTAL_SIZE_MAX)."""

# Shorter words, such as the name of a service, are in every script (nixgen.cache.push.leaks).
_LEAST_IN_SCRIPT = 8


def file_of(secret: Secret) -> str:
    """The path of the file of a secret, without repeated slashes: of two spellings of a file, a test
    gives one value to both.

    :param secret: Secret with a path.
    """
    return "/" + posixpath.normpath(secret.path).lstrip("/")


def secrets_of(machine: Machine) -> dict[str, Secret]:
    """The secrets of a machine's services, by the path of their file, in the order of services.

    :param machine: Machine with services.
    """
    files: dict[str, Secret] = {}
    for service in machine.services:
        for secret in service.secrets:
            files.setdefault(file_of(secret), secret)
    return files


def _values_of_tests(project: Project) -> Iterator[Problem]:
    for test in project.tests:
        files = {path for machine in test.machines for path in secrets_of(machine)}
        given: dict[str, Secret] = {}
        for secret, value in test.secrets.items():
            for message, hint in (
                *_place_faults(secret, files, given.setdefault(file_of(secret), secret)),
                *_script_faults(secret, value, test.script or ""),
            ):
                yield _problem(test, secret, value, message, hint)
        yield from _large_credentials(test)


def _problem(
    test: Test, secret: Secret, value: str | Generated, message: str, hint: str
) -> Problem:
    where = at(value) if isinstance(value, Generated) else at(test)
    return Problem(f"tests.{test.name}.secrets[{secret.name!r}]", message, where=where, hint=hint)


def _place_faults(secret: Secret, files: set[str], first: Secret) -> Iterator[tuple[str, str]]:
    if file_of(secret) not in files:
        hint = "add the secret to a service of theirs: secrets=[…]; or leave its value out"
        yield "no service of the test's machines has this secret", hint
    elif first is not secret:
        same = "this secret" if first.name == secret.name else f"the secret {first.name!r}"
        yield f"{same} already has a value for {secret.path}", "a file has one value in a test"


def _script_faults(
    secret: Secret, value: str | Generated, script: str
) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and len(value) >= _LEAST_IN_SCRIPT and value in script:
        hint = f'let the machine read it: succeed("… $(cat {secret.path}) …")'
        yield "its value is in the script of the test, which is in the world-readable store", hint


def _large_credentials(test: Test) -> Iterator[Problem]:
    """Yield the services whose secrets systemd would refuse, because they are too large together."""
    sizes = {
        file_of(secret): value.length * len(max(value.alphabet).encode())
        if isinstance(value, Generated)
        else len(value.encode())
        for secret, value in test.secrets.items()
    }
    for machine in test.machines:
        for service in machine.services:
            size = sum(len(each.name) + sizes.get(file_of(each), 0) for each in service.secrets)
            if size > _CREDENTIALS_LIMIT:
                yield Problem(
                    f"tests.{test.name}.secrets",
                    f"the secrets of the service {service.name!r} have {size:,} bytes; systemd allows "
                    f"{_CREDENTIALS_LIMIT:,}",
                    where=at(test),
                    hint="give shorter values",
                )


def _credentials_of_services(project: Project) -> Iterator[Problem]:
    services = {id(each): each for machine in project.machines for each in machine.services}
    for service in services.values():
        for index, first, name in repeated(secret.name for secret in service.secrets):
            if service.secrets[first] is not service.secrets[index]:
                yield _same_name(service, index, first, name)


def _same_name(service: Service, index: int, first: int, name: str) -> Problem:
    return Problem(
        f"services.{service.name}.secrets[{index}]",
        f"{name!r} is also the name of secrets[{first}], and a credential has one value",
        where=at(service.secrets[index]),
        hint="give the secrets different names",
    )


RULES = (_values_of_tests, _credentials_of_services)
