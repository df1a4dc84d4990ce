"""Text with references: no secret, and no placeholder without a reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import (
    ConfigFile,
    Machine,
    Package,
    Project,
    Secret,
    Service,
    Source,
    plain_text,
    text,
)

TOKEN = Secret("token")
RUN = ("/bin/true",)


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": RUN, **fields})


def with_service(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", services=[service(**fields)])])


FAULTS = {
    "secret in text": (
        with_service(command=["/bin/x", text("--t=${t}", t=TOKEN)]),
        "machines.m.services.api.command[1]",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


@pytest.mark.parametrize("write", [str, "{}".format, "%s".__mod__, lambda it: f"{it}"])
def test_references_are_not_strings(write: Callable[[object], str]) -> None:
    for thing in (Package("x"), Source("x"), ConfigFile("x", ""), TOKEN, text("a")):
        with pytest.raises(TypeError, match=r"cannot (become a str|be put into text)"):
            write(thing)


def test_text_keeps_plain_dollars_and_refuses_unknown_and_unused_names() -> None:
    package = Package("x")
    assert text("a $host $${b} ${p}/c", p=package).parts == ("a $host ", "${", "b} ", package, "/c")
    with pytest.raises(ValueError, match="no argument 'q'"):
        text("${q}")
    with pytest.raises(ValueError, match="never uses r"):
        text("x", r=package)


def test_text_is_plain_when_it_mentions_no_store_path() -> None:
    assert plain_text("a") == "a"
    assert plain_text(text("a$${b}")) == "a${b}"
    assert plain_text(text("a${b}", b=Package("b"))) is None
    assert plain_text(Package("b")) is None
