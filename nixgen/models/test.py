"""Tests of machines that run together."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nixgen.models.checks import every, string, whole_number
from nixgen.models.core import Fault, Model, excerpt
from nixgen.models.fields import ListOf, as_dict, field, list_of, model
from nixgen.models.files import Secret
from nixgen.models.lines import PlainText, TargetName
from nixgen.models.machine import Machine

__all__ = ["Generated", "Test"]

DRIVER_NAMES = frozenset(
    {
        "Machine",
        "create_machine",
        "debug",
        "driver",
        "join_all",
        "log",
        "machines",
        "os",
        "polling_condition",
        "retry",
        "run_tests",
        "serial_stdout_off",
        "serial_stdout_on",
        "start_all",
        "subtest",
        "t",
        "test_script",
        "vlans",
    }
)
"""Names that the NixOS test driver gives to a script (nixos/lib/test-driver of nixpkgs). A machine with
one of these names would hide it.
"""


_LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# A shorter value cannot be told from other text in the output of a test, where it is masked.
_LEAST_CHARACTERS = 4


def variable_name(machine: Machine) -> str:
    """Return the name of a machine in a test script: dashes become underscores."""
    return machine.name.replace("-", "_")


def _alphabet(value: str) -> Iterator[Fault]:
    if len(set(value)) < 2:
        yield "", "needs at least two different characters", 'for example "0123456789abcdef"'
    elif not value.isprintable():
        yield "", "may have printable characters only", None


@model
class Generated(Model):
    """A value of a secret that nixgen makes for one run of a test: random characters.

    :param length: Number of characters, 8 to 65536; 32 unless given.
    :param alphabet: Characters to choose from, at least two different ones. They are ASCII letters
        and digits unless given.
    """

    length: int = field(whole_number(8, 1 << 16), default=32)
    alphabet: str = field(every(string, _alphabet), default=_LETTERS_AND_DIGITS, lines=(PlainText,))


def _secret_values(value: Any) -> Iterable[Fault]:
    """Check the values that a test gives to secrets. No message has a value in it."""
    if not isinstance(value, dict):
        hint = 'for example secrets={db_password: "a value", api_token: Generated()}'
        return (("", f"must be a dict, not {type(value).__name__}", hint),)
    return tuple(
        (f"[{getattr(secret, 'name', secret)!r}]", message, hint)
        for secret, content in value.items()
        for message, hint in _secret_faults(secret, content)
    )


def _secret_faults(secret: Any, content: Any) -> Iterator[tuple[str, str | None]]:
    if not isinstance(secret, Secret):
        message = f"has a key that is not a Secret, but {type(secret).__name__} {excerpt(secret)}"
        yield message, "use the Secret object of the service as the key"
    if isinstance(content, Generated):
        return
    if not isinstance(content, str):
        hint = 'write "a value", or Generated() for a value that nixgen makes'
        yield f"must be text or Generated(…), not {type(content).__name__}", hint
        return
    for _, message, advice in string(content):
        yield message, advice
    if not content.strip():
        yield "is empty", "write Generated() for a value that nixgen makes"
    elif len(content) < _LEAST_CHARACTERS:
        message = f"has fewer than {_LEAST_CHARACTERS} characters, so the output cannot hide it"
        yield message, "give a longer value, or Generated()"


@model
class Test(Model):
    """A test that boots machines together and checks them.

    :param name: Name of the test on the command line.
    :param machines: Machines to boot, at least one. Each must be one of the project's machines.
    :param script: Python code for the NixOS test driver. None (the default) derives a script from
        the services: every unit starts, every port opens, and every health check passes.
    :param secrets: Values of secrets by `Secret`, for this test alone: text, or `Generated`. Every
        other secret of the machines is `Generated`. Each run writes the values to the files of the
        secrets in the machines; they are never in the Nix store. Empty is the default.
    """

    addressed_by_name = True

    __test__ = False  # pytest would collect the name

    name: str = field(TargetName, kw_only=False)
    machines: ListOf[Machine] = list_of(Machine)
    script: str | None = field(PlainText, default=None)
    secrets: Mapping[Secret, str | Generated] = field(
        _secret_values, default={}, convert=as_dict, lines=(PlainText,), hidden=True
    )

    def faults(self) -> Iterator[Fault]:
        if self.machines == ():
            yield ".machines", "is empty", "a test needs at least one machine"
        for index, machine in enumerate(self.machines):
            if isinstance(machine.name, str):
                yield from _name_faults(f".machines[{index}]", variable_name(machine))


def _name_faults(path: str, variable: str) -> Iterator[Fault]:
    """Yield a fault for a machine that a test script cannot call by its name."""
    hint = "the script of a test calls its machines by their names: give the machine another name"
    if keyword.iskeyword(variable):
        yield path, f"{variable!r} is a word of Python's own, and no variable can have it", hint
    elif variable in DRIVER_NAMES:
        yield path, f"{variable!r} is a name of the test driver, which the machine would hide", hint
