"""``nixgen inputs update`` and ``check``: every type, by the real Nix, from disk and from loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from origins import Origins, git, serving, use_own_nix

from nixgen.documents.inputs import described

pytestmark = pytest.mark.real

OTHER = "sha256-au/m3+EuBLoSzWUCb64a/MZq6QUtOV8oC0D9tY2scPQ="
LOST = "0123456789abcdef0123456789abcdef01234567"
INFRA = 'from nixgen import Project\nproject = Project("p")\n'
DATE = 1770091506  # that of every commit in the repository


@pytest.fixture
def origins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Origins:
    use_own_nix(monkeypatch, tmp_path)
    return Origins.make(tmp_path / "origins")


@pytest.fixture
def url(origins: Origins) -> Iterator[str]:
    with serving(origins.folder) as address:
        yield address


class Project:
    """A folder with an infra.py and pins, and the command line in it."""

    def __init__(self, nixgen: Any) -> None:
        self.nixgen = nixgen
        self.file = nixgen.folder / "flake-inputs.json"
        (nixgen.folder / "infra.py").write_text(INFRA)

    def pin(self, text: str) -> None:
        """Entries, laid out as a test wants to find them again."""
        self.file.write_text('{\n  "schema": "nixgen/inputs/1",\n  "inputs": {' + text + "}\n}\n")

    @property
    def inputs(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text())["inputs"])


@pytest.fixture
def project(tmp_path: Path, command_line: Any) -> Project:
    (tmp_path / "project").mkdir()
    return Project(command_line(folder=tmp_path / "project"))


def test_a_new_entry_is_filled_in_and_nothing_else_is_touched(
    origins: Origins, url: str, project: Project
) -> None:
    project.pin(f"""
    "git":  {{ "type":"git", "url": "file://{origins.repo}" }},
    "tar": {{
      "type": "tarball",
      "url": "{url}/tree.tar.gz"
    }},
    "as-it-is": {{ "type": "path", "path": "../origins/tree" }}
  """)
    done = project.nixgen("inputs", "update")
    assert done.stdout.splitlines() == [
        "as-it-is: read as it is",
        f"git: nothing yet → {origins.commit[:12]} of 2026-02-03",
        f"tar: nothing yet → {described(project.inputs['tar'])}",
    ]
    exact = f'"narHash": "{origins.nar_hash}"'
    text = project.file.read_text()
    assert (
        f'    "git":  {{ "type":"git", "url": "file://{origins.repo}", '
        f'"rev": "{origins.commit}", {exact}, "lastModified": {DATE} }},\n' in text
    )
    assert f'      "url": "{url}/tree.tar.gz",\n      {exact}' in text
    assert '    "as-it-is": { "type": "path", "path": "../origins/tree" }\n' in text


def test_what_is_new_is_pinned_with_its_date(origins: Origins, url: str, project: Project) -> None:
    project.pin(f"""
      "git": {{ "type": "git", "url": "file://{origins.repo}" }},
      "tar": {{ "type": "tarball", "url": "{url}/tree.tar.gz" }},
      "dir": {{ "type": "path", "path": "../origins/tree", "narHash": "{OTHER}" }}
    """)
    project.nixgen("inputs", "update")
    first, old = project.inputs, origins.commit
    again = project.nixgen("inputs", "update").stdout
    assert [line.rpartition(", ")[2] for line in again.splitlines()] == ["as before"] * 3
    assert project.inputs == first

    origins.change("second")
    changes = project.nixgen.document("inputs", "update", "git", "tar")["inputs"]
    assert project.inputs["git"]["rev"] == origins.commit != old
    for name in ("git", "tar"):
        assert project.inputs[name]["narHash"] == origins.nar_hash
        fields = {key: value for key, value in first[name].items() if key != "type"}
        assert changes[name]["before"] == fields
        assert changes[name]["after"]["narHash"] == origins.nar_hash
        assert changes[name]["error"] is None
    assert project.inputs["dir"] == first["dir"]
    assert "of 2026-02-03 → " in project.nixgen("inputs", "update", "git", "--to", old).stdout
    assert project.inputs["git"] == first["git"]


def test_a_branch_that_is_named_is_followed_from_then_on(
    origins: Origins, project: Project
) -> None:
    git("branch", "stable", cwd=origins.repo)
    stable = origins.commit
    origins.change("second")
    project.pin(f'"git": {{ "type": "git", "url": "file://{origins.repo}" }}')
    project.nixgen("inputs", "update", "git")
    assert project.inputs["git"]["rev"] == origins.commit
    project.nixgen("inputs", "update", "git", "--to", "stable")
    assert project.inputs["git"]["ref"] == "stable"
    assert project.inputs["git"]["rev"] == stable
    project.nixgen("inputs", "update")
    assert project.inputs["git"]["rev"] == stable


def test_a_tarball_and_a_folder_can_move(origins: Origins, url: str, project: Project) -> None:
    project.pin(f"""
      "tar": {{ "type": "tarball", "url": "{url}/none.tar.gz", "narHash": "{OTHER}" }},
      "dir": {{ "type": "path", "path": "../none" }}
    """)
    project.nixgen("inputs", "update", "tar", "--to", f"{url}/tree.tar.gz")
    project.nixgen("inputs", "update", "dir", "--to", "../origins/tree")
    for name, field, value in (
        ("tar", "url", f"{url}/tree.tar.gz"),
        ("dir", "path", "../origins/tree"),
    ):
        assert project.inputs[name][field] == value
        assert project.inputs[name]["narHash"] == origins.nar_hash


def test_what_cannot_be_reached_keeps_nothing_else_back(
    origins: Origins, url: str, project: Project
) -> None:
    project.pin(f"""
      "a": {{ "type": "github", "owner": "a", "repo": "b", "host": "git.invalid" }},
      "b": {{ "type": "gitlab", "owner": "a/c", "repo": "b", "host": "git.invalid" }},
      "c": {{ "type": "git", "url": "https://git.invalid/c" }},
      "d": {{ "type": "git", "url": "file://{origins.repo}", "ref": "none" }},
      "e": {{ "type": "tarball", "url": "{url}/none.tar.gz" }},
      "f": {{ "type": "tarball", "url": "{url}/tree.tar.gz" }}
    """)
    (project.nixgen.folder / "generated").mkdir()  # what is not pinned yet cannot go into a flake
    done = project.nixgen("inputs", "update", expect=3)
    assert done.stdout.splitlines() == [
        *(f"{name}: not updated" for name in "abcde"),
        f"f: nothing yet → {described(project.inputs['f'])}",
    ]
    assert "error: 5 inputs were not updated" in done.stderr
    for said in (
        "the input a cannot be fetched from https://git.invalid/a/b: unable to download",
        "the input b cannot be fetched from https://git.invalid/a/c/b: unable to download",
        "the input c cannot be fetched from https://git.invalid/c: ",
        f"file://{origins.repo} does not have what is pinned as the input d",
        f"{url}/none.tar.gz does not have what is pinned as the input e",
    ):
        assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tree_that_is_no_nixpkgs_is_not_pinned_as_one(origins: Origins, project: Project) -> None:
    project.pin(f'"nixpkgs": {{ "type": "git", "url": "file://{origins.repo}" }}')
    before = project.file.read_text()
    done = project.nixgen("inputs", "update", expect=2)
    assert "has no tree of nixpkgs: there is no default.nix and no nixos/lib" in done.stderr
    assert project.file.read_text() == before


def test_every_pin_is_compared_with_what_is_there(
    origins: Origins, url: str, project: Project
) -> None:
    project.pin(f"""
      "git": {{ "type": "git", "url": "file://{origins.repo}" }},
      "tar": {{ "type": "tarball", "url": "{url}/tree.tar.gz" }},
      "dir": {{ "type": "path", "path": "../origins/tree" }}
    """)
    assert "it is not pinned yet" in project.nixgen("inputs", "check", "git", expect=1).stdout
    project.nixgen("inputs", "update", "git", "tar", "dir")
    done = project.nixgen("inputs", "check")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", "dir"],
        ["ok", "git"],
        ["ok", "tar"],
    ]
    # the repository still has its old commit; the tarball and the folder do not have their old contents
    old, old_hash = origins.commit, origins.nar_hash
    origins.change("second")
    done = project.nixgen("inputs", "check", expect=1)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("differs", "run:"),
        "ok",
        *("differs", "run:"),
    ]
    assert f"pinned is {old_hash}, there is {origins.nar_hash}" in done.stdout
    assert "run: nixgen inputs update tar\n" in done.stdout
    assert "error: 2 of 3 are not what they should be" in done.stderr

    entry = project.inputs["git"]
    project.pin(f'"git": {json.dumps({**entry, "narHash": OTHER, "lastModified": 5})}')
    (row,) = project.nixgen.document("inputs", "check", expect=1)["inputs"]
    assert row["state"] == "differs"
    assert f"there is {old_hash}; pinned is the date 1970-01-01 00:00:05" in row["detail"]
    assert row["mend"] == f"nixgen inputs update git --to {old}"
    project.nixgen(*row["mend"].split()[1:])
    assert project.inputs["git"] == entry


def test_the_flake_says_what_the_pins_say(origins: Origins, project: Project) -> None:
    nixpkgs = origins.folder / "nixpkgs"
    (nixpkgs / "nixos/lib").mkdir(parents=True)
    (nixpkgs / "default.nix").write_text("1")
    project.pin('"nixpkgs": {"type": "path", "path": "../origins/nixpkgs"}')
    assert "flake" not in project.nixgen("inputs", "check").stdout
    project.nixgen("generate")
    assert (
        "ok          flake    generated/flake.lock says" in project.nixgen("inputs", "check").stdout
    )
    # an update brings the flake with it; an edit does not
    done = project.nixgen("inputs", "update", "nixpkgs")
    assert "generated" not in done.stderr
    project.pin(
        '"nixpkgs": {"type": "path", "path": "../origins/nixpkgs"},'
        f'"repo": {{"type": "git", "url": "file://{origins.repo}"}}'
    )
    done = project.nixgen("inputs", "update", "repo")
    assert "wrote   generated/flake.lock" in done.stderr
    assert origins.commit in (project.nixgen.folder / "generated/flake.lock").read_text()
    project.file.write_text(project.file.read_text().replace(origins.commit, LOST))
    rows = project.nixgen.document("inputs", "check", expect=3)["inputs"]
    assert [row["state"] for row in rows] == ["ok", "unreachable", "differs"]
    assert rows[-1]["mend"] == "nixgen generate"


def test_every_row_comes_before_the_verdict(origins: Origins, project: Project) -> None:
    project.pin(f"""
      "a": {{ "type": "tarball", "url": "https://git.invalid/a", "narHash": "{OTHER}" }},
      "b": {{ "type": "path", "path": "../origins/tree", "narHash": "{OTHER}" }},
      "c": {{ "type": "path", "path": "../origins/tree" }}
    """)
    done = project.nixgen("inputs", "check", expect=3)
    states = [line.split()[0] for line in done.stdout.splitlines()]
    assert states == ["unreachable", "differs", "run:", "ok"]
    assert "error: 1 of 3 could not be checked" in done.stderr


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["gti"], "no input 'gti'", "did you mean git?"),
        (["zzz", "yyy"], "no input 'zzz', 'yyy'", "it has debian, git, tar"),
        (["--to", LOST], "--to moves one input", "name it"),
        (["git", "tar", "--to", LOST], "--to moves one input", "name it"),
        (["debian", "--to", "trixie"], "no revision to go to", "choose another suite"),
        (["git", "--to", "0123456"], "is no whole commit", "40 digits"),
        (["git", "--to", "a b"], "--to must be a branch or tag", "--help"),
        (["tar", "--to", "main"], "--to must be a URL", "--help"),
    ],
)
def test_what_cannot_be_asked_for(project: Project, words: list[str], says: str, hint: str) -> None:
    project.pin(
        '"git": {"type": "git", "url": "https://git.invalid/a"},'
        '"tar": {"type": "tarball", "url": "https://git.invalid/a"},'
        '"debian": {"type": "debian", "suite": "bookworm", "architectures": ["amd64"], "lock": "debian.lock.json"}'
    )
    before = project.file.read_text()
    done = project.nixgen("inputs", "update", *words, expect=2)
    assert says in done.stderr
    assert hint in done.stderr
    assert project.file.read_text() == before
