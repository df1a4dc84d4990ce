"""Values of secrets in tests: wrong ones are refused at the user's line, and no message has a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Generated, Machine, Project, Secret, Service, Test, check

PASSWORD = Secret("password")
KEY = Secret("key", file="/etc/keys/api")
STRANGER = Secret("stranger")
VALUE = "correct horse"


def project(
    secrets: Any,
    *,
    script: str | None = None,
    of_service: tuple[Secret, ...] = (PASSWORD, KEY),
) -> Project:
    service = Service("api", command=["/bin/true"], secrets=of_service)
    machine = Machine("web", services=[service])
    test = Test("t", machines=[machine], script=script, secrets=secrets)
    return Project("p", machines=[machine], tests=[test])


SOUND: dict[str, Callable[[], Project]] = {
    "no value": lambda: project({}),
    "text": lambda: project({PASSWORD: VALUE}),
    "several lines": lambda: project({KEY: "-----BEGIN\n%n ${x} $x ü\r\n\t'\"\n"}),
    "generated": lambda: project({PASSWORD: Generated(), KEY: Generated(length=8, alphabet="01")}),
    "another object of the same file": lambda: project({Secret("password"): VALUE}),
    "a short word that the script has, too": lambda: project(
        {PASSWORD: "web."}, script="web.start()"
    ),
    "a whole credential": lambda: project({PASSWORD: "x" * (2**20 - len("passwordkey"))}),
}

WRONG: dict[str, tuple[Callable[[], Project], str]] = {
    "no dict": (lambda: project([PASSWORD]), "tests.t.secrets"),
    "a name instead of a secret": (lambda: project({"password": VALUE}), "tests.t.secrets['password']"),
    "a number": (lambda: project({PASSWORD: 123456}), "tests.t.secrets['password']"),
    "bytes": (lambda: project({PASSWORD: b"correct horse"}), "tests.t.secrets['password']"),
    "None": (lambda: project({PASSWORD: None}), "tests.t.secrets['password']"),
    "the class Generated": (lambda: project({PASSWORD: Generated}), "tests.t.secrets['password']"),
    "nothing": (lambda: project({PASSWORD: ""}), "tests.t.secrets['password']"),
    "blanks": (lambda: project({PASSWORD: " \n  \t "}), "tests.t.secrets['password']"),
    "too short to be hidden": (lambda: project({PASSWORD: "abc"}), "tests.t.secrets['password']"),
    "NUL": (lambda: project({PASSWORD: VALUE + "\0"}), "tests.t.secrets['password']"),
    "no Unicode": (lambda: project({PASSWORD: VALUE + "\udc80"}), "tests.t.secrets['password']"),
    "a secret of no machine": (lambda: project({STRANGER: VALUE}), "tests.t.secrets['stranger']"),
    "a secret of the same name elsewhere": (
        lambda: project({Secret("key"): VALUE}),
        "tests.t.secrets['key']",
    ),
    "two values of one secret": (
        lambda: project({PASSWORD: VALUE, Secret("password"): VALUE}),
        "tests.t.secrets['password']",
    ),
    "two secrets of one file": (
        lambda: project({KEY: VALUE, Secret("other", file="/etc/keys/api"): Generated()}),
        "tests.t.secrets['other']",
    ),
    "two spellings of one file": (
        lambda: project({KEY: VALUE, Secret("other", file="/etc//keys/./api"): Generated()}),
        "tests.t.secrets['other']",
    ),
    "a value in the script": (
        lambda: project({PASSWORD: VALUE}, script=f"web.succeed('login {VALUE}')"),
        "tests.t.secrets['password']",
    ),
    "more than systemd loads": (
        lambda: project({PASSWORD: "x" * 2**20}),
        "tests.t.secrets",
    ),
    "more than systemd loads, together": (
        lambda: project({PASSWORD: "x" * 2**19, KEY: "ü" * 2**18}),
        "tests.t.secrets",
    ),
    "too few characters": (
        lambda: project({PASSWORD: Generated(length=7)}),
        "tests.t.secrets['password'].length",
    ),
    "one character only": (
        lambda: project({PASSWORD: Generated(alphabet="aaa")}),
        "tests.t.secrets['password'].alphabet",
    ),
    "a line end as a character": (
        lambda: project({PASSWORD: Generated(alphabet="ab\n")}),
        "tests.t.secrets['password'].alphabet",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_sound_values_are_accepted(name: str) -> None:
    assert check(SOUND[name]()) == ()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_at_its_line(name: str) -> None:
    make, path = WRONG[name]
    assert_only_fault(make(), path, __file__)
    (problem,) = check(make())
    assert VALUE not in str(problem)
    assert "123456" not in str(problem)


def test_no_representation_of_a_test_has_a_value() -> None:
    (test,) = project({PASSWORD: VALUE}).tests
    assert VALUE not in repr(test)


def test_two_secrets_of_a_service_have_different_names() -> None:
    twice = project({}, of_service=(PASSWORD, Secret("password", file="/etc/keys/api")))
    (problem,) = check(twice)
    assert problem.path == "services.api.secrets[1]"
