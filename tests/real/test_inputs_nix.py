"""nix/lib/inputs.nix: every type of pin becomes a tree, offline; and what is wrong with one is told by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from origins import Origins, nar_hash, serving, use_own_nix

from nixgen.documents.inputs import Inputs
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Target, Tree, evaluate
from nixgen.driver.messages.events import drv_name
from nixgen.errors import LockError, NixgenError, OutsideError
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

OTHER = "sha256-au/m3+EuBLoSzWUCb64a/MZq6QUtOV8oC0D9tY2scPQ="
LOST = "0123456789abcdef0123456789abcdef01234567"
#: a package for each input, whose name is what the file ``text`` of its tree says
TREE = f"""
  {{ base ? "", inputs ? {{ }} }}:
  let
    trees = import {Path(__file__).parents[2]}/nix/lib/inputs.nix {{
      file = ../flake-inputs.json;
      overrides = inputs;
    }};
    read = _: tree: derivation {{ name = builtins.readFile (tree + "/text"); system = "x"; builder = "/none"; }};
  in
  {{ packages = builtins.mapAttrs read trees; }}
"""

Ask = Callable[..., str]


@pytest.fixture
def origins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Origins:
    use_own_nix(monkeypatch, tmp_path)
    return Origins.make(tmp_path / "origins")


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """What an input's tree says, by evaluation of a project that pins it."""
    generated = tmp_path / "project/generated"
    generated.mkdir(parents=True)
    (generated / "default.nix").write_text(TREE)
    pins = tmp_path / "project/flake-inputs.json"

    def evaluated(
        pin: Mapping[str, Any] | None, *, inputs: Mapping[str, Path] | None = None
    ) -> str:
        entries = {} if pin is None else {"it": dict(pin)}
        pins.write_text(json.dumps({"schema": "nixgen/inputs/1", "inputs": entries}))
        Inputs.read(pins)
        (target,) = _evaluate(generated / "default.nix", inputs or {})
        return drv_name(target.drv)

    return evaluated


def _evaluate(file: Path, inputs: Mapping[str, Path]) -> tuple[Target, ...]:
    tree = Tree(file=file, inputs=inputs)
    options = NixOptions.of_host()
    return evaluate(tree, ["packages.it"], runner=SubprocessRunner(), options=options).require()


def git_pin(origins: Origins, **changes: str) -> dict[str, str]:
    return {
        "type": "git",
        "url": f"file://{origins.repo}",
        "rev": origins.commit,
        "narHash": origins.nar_hash,
        **changes,
    }


def tarball_pin(url: str, hash_: str) -> dict[str, str]:
    return {"type": "tarball", "url": url, "narHash": hash_}


def test_a_repository(origins: Origins, ask: Ask) -> None:
    old = git_pin(origins)
    origins.change("second")
    assert ask(old) == "first"
    assert ask(git_pin(origins)) == "second"
    assert ask({**old, "ref": "main"}) == "first"


def test_a_tarball_from_a_file_and_from_a_server(origins: Origins, ask: Ask) -> None:
    assert ask(tarball_pin(f"file://{origins.tarball}", origins.nar_hash)) == "first"
    origins.change("second")
    with serving(origins.folder) as url:
        assert ask(tarball_pin(f"{url}/tree.tar.gz", origins.nar_hash)) == "second"


def test_a_folder(origins: Origins, ask: Ask) -> None:
    assert ask({"type": "path", "path": "../origins/tree"}) == "first"
    assert ask({"type": "path", "path": str(origins.tree)}) == "first"
    assert ask({"type": "path", "path": "../origins/tree", "narHash": origins.nar_hash}) == "first"


def test_an_override_wins_and_nothing_is_fetched(origins: Origins, ask: Ask) -> None:
    pin = {"type": "github", "owner": "a", "repo": "b", "rev": LOST, "narHash": OTHER}
    assert ask(pin, inputs={"it": origins.tree}) == "first"
    assert ask(None, inputs={"it": origins.tree}) == "first"


@pytest.mark.parametrize("kind", ["git", "tarball", "path"])
def test_a_wrong_hash(origins: Origins, ask: Ask, kind: str) -> None:
    pins = {
        "git": git_pin(origins, narHash=OTHER),
        "tarball": tarball_pin(f"file://{origins.tarball}", OTHER),
        "path": {"type": "path", "path": "../origins/tree", "narHash": OTHER},
    }
    error = failed(LockError, ask, pins[kind])
    assert error.message == "the input it is not what flake-inputs.json pins"
    assert error.exit_status == 2
    if kind != "path":  # Nix does not say what it is
        assert error.details == (f"expected {OTHER}", f"got      {origins.nar_hash}")
    to = f" --to {origins.commit}" if kind == "git" else ""
    assert (error.hint or "").endswith(f"nixgen inputs update it{to}")


def failed(kind: type[NixgenError], ask: Ask, pin: Mapping[str, Any]) -> NixgenError:
    with pytest.raises(kind) as caught:
        ask(pin)
    assert caught.value.where == "flake-inputs.json"
    return caught.value


@pytest.mark.parametrize(
    ("pin", "place"),
    [
        (
            {"type": "github", "owner": "a", "repo": "b", "host": "git.invalid", "rev": LOST},
            "https://git.invalid/a/b",
        ),
        (
            {"type": "gitlab", "owner": "a/c", "repo": "b", "host": "git.invalid", "rev": LOST},
            "https://git.invalid/a/c/b",
        ),
        ({"type": "git", "url": "https://git.invalid/a", "rev": LOST}, "https://git.invalid/a"),
        ({"type": "tarball", "url": "https://git.invalid/a.tgz"}, "https://git.invalid/a.tgz"),
    ],
)
def test_a_host_that_does_not_answer(
    origins: Origins, ask: Ask, pin: Mapping[str, str], place: str
) -> None:
    error = failed(OutsideError, ask, {**pin, "narHash": OTHER})
    assert error.message == f"the input it cannot be fetched from {place}"
    assert error.exit_status == 3
    assert "--override-input it=PATH" in (error.hint or "")
    assert "git.invalid" in "\n".join(error.details)


def test_a_commit_that_is_not_there(origins: Origins, ask: Ask) -> None:
    error = failed(OutsideError, ask, git_pin(origins, rev=LOST))
    assert "does not have the commit 0123456789ab of the input it" in error.message


def test_a_file_that_is_not_there(origins: Origins, ask: Ask) -> None:
    with serving(origins.folder) as url:
        error = failed(OutsideError, ask, tarball_pin(f"{url}/none.tar.gz", OTHER))
    assert error.message == f"{url}/none.tar.gz does not have what is pinned as the input it"
    error = failed(OutsideError, ask, tarball_pin(f"file://{origins.folder}/none.tar.gz", OTHER))
    assert "cannot be fetched" in error.message


def test_a_folder_that_is_not_there(origins: Origins, ask: Ask, tmp_path: Path) -> None:
    error = failed(LockError, ask, {"type": "path", "path": "../origins/none"})
    assert error.message == f'the input "it" is no folder: {tmp_path}/origins/none'
    assert error.exit_status == 2


def test_what_was_fetched_once_is_not_fetched_again(origins: Origins, ask: Ask) -> None:
    """A store path is known by its hash, so nobody is asked; and github, tarballs and flakes share it."""
    with serving(origins.folder) as url:
        ask(tarball_pin(f"{url}/tree.tar.gz", origins.nar_hash))
    assert ask(tarball_pin("https://git.invalid/a.tgz", nar_hash(origins.tree))) == "first"
