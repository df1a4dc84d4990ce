"""Places on loopback and on disk that pins can come from: a git repository, tarballs, a folder."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from attrs import frozen

from nixgen.cache.format.nar import write_nar

__all__ = ["Origins", "git", "nar_hash", "serving", "use_own_nix"]


def use_own_nix(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A store and a cache of downloads below a folder, for this test; hosts that do not answer are asked once."""
    for name in ("STORE", "STATE", "LOG"):
        monkeypatch.setenv(f"NIX_{name}_DIR", str(folder / "nix" / name.lower()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("NIX_CONFIG", "download-attempts = 1")


def git(*words: object, cwd: Path) -> str:
    """Its output; what the tester has configured does not count."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **alone, "GIT_COMMITTER_DATE": "2026-02-03T04:05:06Z"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def nar_hash(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in write_nar(path):
        digest.update(chunk)
    return f"sha256-{base64.b64encode(digest.digest()).decode()}"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        pass


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A web server over a folder; its URL."""
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@frozen
class Origins:
    """A folder with ``tree/``, and the same as a repository, ``repo/``, and as ``tree.tar.gz``.

    In each the file ``text`` says which version it is.
    """

    folder: Path

    @classmethod
    def make(cls, folder: Path, files: Mapping[str, str] = MappingProxyType({})) -> Origins:
        """:param files: beside ``text``."""
        made = cls(folder)
        for place in (made.tree, made.repo):
            for name, text in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_text(text)
            place.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--initial-branch", "main", cwd=made.repo)
        made.change("first")
        return made

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def tarball(self) -> Path:
        return self.folder / "tree.tar.gz"

    @property
    def nar_hash(self) -> str:
        return nar_hash(self.tree)

    @property
    def commit(self) -> str:
        return git("rev-parse", "HEAD", cwd=self.repo)

    def change(self, text: str) -> None:
        """Another version of all three."""
        for folder in (self.tree, self.repo):
            (folder / "text").write_text(text)
        git("add", ".", cwd=self.repo)
        git("commit", "--quiet", "--message", text, "--date", "2026-02-03T04:05:06Z", cwd=self.repo)
        with tarfile.open(self.tarball, "w:gz") as archive:
            archive.add(self.tree, "tree")
