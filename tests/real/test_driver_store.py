"""A store that the real Nix has filled, in a temporary folder."""

from pathlib import Path

import pytest

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.store import path_info
from nixgen.driver.store.store import Store
from nixgen.programs.command import Command
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

EXPRESSION = """
let chain = n: if n == 0 then builtins.toFile "link-0" "end"
  else builtins.toFile "link-${toString n}" "${chain (n - 1)}";
in chain 20
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(root=tmp_path, options=NixOptions.of_host())


def test_the_database_and_nix_agree(store, tmp_path):
    runner = SubprocessRunner()
    options = store._nix_options
    done = runner.run(
        Command(
            argv=(
                "nix-instantiate",
                "--eval",
                "--read-write-mode",
                "--json",
                *options.arguments,
                "--expr",
                EXPRESSION,
            )
        )
    )
    assert done.ok, done.stderr
    top = done.text.strip().strip('"')
    closure = store.closure([top])
    assert len(closure) == 21
    assert closure[-1].path == top
    seen: set[str] = set()
    for info in closure:
        assert seen.issuperset(info.references)
        seen.add(info.path)
    asked = path_info.query(runner, options, (top,), recursive=True)
    assert asked == {info.path: info for info in closure}
    missing = top[:11] + "0" * 32 + "-missing"
    known = path_info.query(runner, options, (top, missing), recursive=False)
    assert known.keys() == {top} == store.valid([top, missing])
