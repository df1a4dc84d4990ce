"""Remembered evaluations: a build with nothing to do starts no Nix.

One file per key under ``.nixgen/cache/evaluation/``. A key covers all that an evaluation reads;
an entry that is damaged, of another schema or about derivations that are gone is no entry.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import frozen

from nixgen.disk import write_atomically
from nixgen.driver.evaluation import Target

__all__ = ["EvaluationCache", "evaluation_key"]

_SCHEMA = "nixgen/evaluation/1"
_KEEP = 32
_LOCKS = ("debian.lock.json", "flake-inputs.json")


def evaluation_key(
    root: Path,
    *,
    base: str,
    nix: str,
    system: str | None = None,
    environment: str | None = None,
    inputs: Mapping[str, str] | None = None,
    mirrors: str | None = None,
    extra: bytes = b"",
) -> str:
    """The name of an evaluation: 64 hexadecimal digits over everything that it reads.

    :param root: the project; its ``generated/`` and its locks count, byte for byte.
    :param nix: `nixgen.driver.capabilities.nix_identity`.
    :param inputs: what tells the trees apart that stand for pins, by name.
    :param extra: a digest of files outside ``generated/`` that the tree reads (local sources).
    """
    digest = hashlib.sha256()

    def add(name: str, content: bytes) -> None:
        # Lengths before contents: no two lists of parts give the same bytes.
        head = name.encode("utf-8", "surrogateescape")
        digest.update(b"%d:%d:" % (len(head), len(content)) + head)
        digest.update(content)

    settings = {
        "base": base,
        "nix": nix,
        "system": system,
        "env": environment,
        "inputs": dict(inputs or {}),
        "mirrors": mirrors,
    }
    add("settings", json.dumps(settings, sort_keys=True).encode())
    add("extra", extra)
    for name in _LOCKS:
        try:
            add(name, (root / name).read_bytes())
        except FileNotFoundError:
            add(name, b"")
    for name, content in _tree(str(root / "generated")):
        add(name, content)
    return digest.hexdigest()


def _tree(folder: str) -> Iterator[tuple[str, bytes]]:
    """Every file below ``folder``, sorted by its relative name."""
    # os, not pathlib: this runs at every build, and pathlib doubles its time.
    found: list[tuple[str, str]] = []
    pending = [(folder, "")]
    while pending:
        path, prefix = pending.pop()
        try:
            entries = os.scandir(path)
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, name + "/"))
                else:
                    found.append((name, entry.path))
    for name, path in sorted(found):
        if os.path.islink(path):  # noqa: PTH114
            yield name, b"->" + os.fsencode(os.readlink(path))  # noqa: PTH115
        else:
            with open(path, "rb") as stream:  # noqa: PTH123
                yield name, stream.read()


@frozen
class EvaluationCache:
    """The remembered evaluations in one folder."""

    folder: Path

    def load(self, key: str, attrs: Iterable[str]) -> tuple[Target, ...] | None:
        """The targets ``attrs`` of an evaluation, in that order; None when any is unknown, or is
        of no more use because neither its derivation nor all of its outputs exist.
        """
        try:
            known = self._read(key)
            targets = tuple(known[attr] for attr in attrs)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return targets if all(map(_usable, targets)) else None

    def save(self, key: str, targets: Iterable[Target]) -> None:
        """Remember targets, beside those of the same key that are known already.

        :raises StoreError: the folder cannot be written.
        """
        try:
            known = self._read(key)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            known = {}
        known |= {target.attr: target for target in targets}
        document = {
            "schema": _SCHEMA,
            "key": key,
            "targets": {attr: target.to_json() for attr, target in sorted(known.items())},
        }
        write_atomically(self._file(key), json.dumps(document).encode())
        self._prune()

    def forget(self, key: str) -> None:
        """Drop an evaluation that Nix no longer accepts."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _read(self, key: str) -> dict[str, Target]:
        document = json.loads(self._file(key).read_bytes())
        if document["schema"] != _SCHEMA or document["key"] != key:
            message = f"{key}: another schema"
            raise ValueError(message)
        return {attr: Target.from_json(attr, value) for attr, value in document["targets"].items()}

    def _prune(self) -> None:
        # Another run may be pruning the same files.
        dated: list[tuple[float, Path]] = []
        for file in self.folder.glob("*.json"):
            try:
                dated.append((file.stat().st_mtime, file))
            except FileNotFoundError:
                continue
        for _, file in sorted(dated, reverse=True)[_KEEP:]:
            file.unlink(missing_ok=True)


def _usable(target: Target) -> bool:
    return os.path.exists(target.drv) or all(  # noqa: PTH110
        map(os.path.lexists, target.outputs.values())
    )
