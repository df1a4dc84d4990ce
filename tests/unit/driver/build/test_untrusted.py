"""A cache whose paths are signed by a key that is not trusted, when nothing may be built."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from nixgen.driver.build.build import realise
from nixgen.driver.build.failures import UntrustedError
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Target
from nixgen.errors import BuildError
from nixgen.programs.command import Command, Completed

KEY = "other-1:" + "A" * 43 + "="
OLD = "warning: the substitute for '/nix/store/web' from 'http://c' is not signed by any of the keys in 'trusted-public-keys'"
NEW = "warning: ignoring substitute for '/nix/store/web' from 'http://c', as it's not signed by any of the keys in 'trusted-public-keys'"
STOPPED = "error: unable to start any build; either increase '--max-jobs' or enable remote builds."


class Nix:
    """A Nix that writes messages and fails, and a store that is empty."""

    def __init__(self, *warnings: str) -> None:
        self.messages = [(1, text) for text in warnings] + [(0, STOPPED)]

    def lines(self, command: Command, on_line: Callable[[bytes], None]) -> Completed:
        del command
        for level, text in self.messages:
            record = {"action": "msg", "level": level, "msg": text}
            on_line(b"@nix " + json.dumps(record).encode())
        return Completed(status=1)

    def valid(self, paths: Iterable[str]) -> set[str]:
        del paths
        return set()

    def closure(self, paths: Iterable[str]) -> list[Any]:
        del paths
        return []


def failure(folder: Path, *warnings: str) -> BuildError:
    fake: Any = Nix(*warnings)
    target = Target(attr="machines.web", drv="/nix/store/w.drv", outputs={"out": "/nix/store/web"})
    options = NixOptions(substituters=("http://c",), trusted_public_keys=(KEY,))
    with pytest.raises(BuildError) as caught:
        realise([target], runner=fake, store=fake, options=options, gcroots=folder, jobs=0)
    return caught.value


@pytest.mark.parametrize("warning", [OLD, NEW])
def test_the_error_is_about_the_key(tmp_path: Path, warning: str) -> None:
    error = failure(tmp_path, warning)
    assert isinstance(error, UntrustedError)
    assert error.message == (
        "the cache is signed by another key, and only other-1 is trusted:"
        " machines.web cannot be fetched"
    )
    assert error.path == "/nix/store/web"
    assert error.hint
    assert "--trust NAME:BASE64" in error.hint
    assert error.details == (STOPPED,)


def test_without_such_a_path_the_error_is_about_the_end_of_nix(tmp_path: Path) -> None:
    assert failure(tmp_path).message == "Nix stopped with status 1 before building machines.web"


@pytest.mark.parametrize(
    ("signers", "by", "details"),
    [
        (("shop-1",), "signed by shop-1, and", ()),
        (("shop-1", "shop-2"), "signed by shop-1 and shop-2, and", ()),
        ((), "signed by nobody, and", ()),
        (
            ("other-1",),
            "signed by other-1, and",
            ("the trusted key other-1 has the same name, and is another key",),
        ),
    ],
)
def test_the_keys_of_the_cache_are_named(
    signers: tuple[str, ...], by: str, details: tuple[str, ...]
) -> None:
    error = UntrustedError(["machines.web"], "/nix/store/web", signers=signers, trusted=["other-1"])
    assert by in error.message
    assert error.details == details
