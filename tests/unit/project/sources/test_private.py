"""Files that look like secrets are reported, with the line that leaves them out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nixgen.models import Source
from nixgen.project.sources import Sources, private_files


def notes(folder: Path, *names: str, **choice: list[str]) -> list[str]:
    for name in names:
        file = folder / "app" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    source = Source("app", **choice)
    found = private_files(Sources(str(folder)), [("sources[0]", source)])
    return [f"{note.message}: {note.hint}" for note in found]


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.local",
        "prod.env",
        "tls.pem",
        "sub/tls.KEY",
        "id_ed25519",
        ".pgpass",
        "a.p12",
        "a.pfx",
        "release.jks",
        ".netrc",
        ".git-credentials",
        ".aws/credentials",
        ".docker/config.json",
        ".kube/config",
        "kubeconfig",
        "prod.kubeconfig",
        "service-account.json",
        "service_account_prod.json",
        "credentials.json",
        "secrets.yaml",
        "terraform.tfstate",
    ],
)
def test_a_file_that_looks_like_a_secret_is_reported(tmp_path: Path, name: str) -> None:
    (note,) = notes(tmp_path, "main.py", name)
    assert note.startswith(f"app takes {name} into the Nix store, which everybody can read: ")
    assert f'exclude=["{name}"]' in note


@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        "id_ed25519.pub",
        "id_map.py",
        "keys.py",
        "environment",
        "key",
        "secrets.py",
        "config.json",
    ],
)
def test_a_file_that_is_public_by_its_name_is_not_reported(tmp_path: Path, name: str) -> None:
    assert notes(tmp_path, name) == []


def test_a_file_that_is_left_out_is_not_reported(tmp_path: Path) -> None:
    assert notes(tmp_path, "main.py", ".env", exclude=[".env"]) == []


def test_a_file_that_is_ignored_is_not_reported(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(".env\n")
    assert notes(tmp_path, "main.py", ".env") == []


def test_a_file_that_include_names_is_meant(tmp_path: Path) -> None:
    assert notes(tmp_path, "main.py", "ca.pem", include=["main.py", "ca.pem"]) == []


def test_several_files_of_a_source_are_one_note(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, ".env", "a.key", "b.key", "c.key")
    assert ".env and 3 more such files" in note


def test_the_line_leaves_out_every_file(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    names = [
        ".env",
        "[a]*.pem",
        "!b.key",
        "#c.key",
        "d\\.key",
        "e\nf.key",
        "g\u202e.key",
        "sub/h.key",
    ]
    (note,) = notes(tmp_path, "main.py", *names)
    assert note.isprintable()
    line = note.partition("exclude=")[2].partition("), or ")[0]
    assert notes(tmp_path, exclude=ast.literal_eval(line)) == []


def test_the_line_that_takes_a_file_in_keeps_the_others(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "main.py", "ca.pem")
    line = note.partition("include=")[2].partition("]")[0] + "]"
    assert line == '["*", "ca.pem"]'
    assert notes(tmp_path, include=ast.literal_eval(line)) == []


def test_a_source_of_one_file_is_told_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("x")
    (note,) = private_files(Sources(str(tmp_path)), [("sources[0]", Source("kubeconfig"))])
    assert note.hint is not None
    assert "exclude" not in note.hint
    assert "Secret(…, file=…)" in note.hint
