"""``nix path-info --json`` in the shapes of Nix 2.8 … 2.36 and Lix.

- until 2.18: a list of objects with ``path``; an invalid path has ``"valid": false``
- since 2.19: a map from path to object; an invalid path is null
- newer (``--json-format 2``): ``{"version", "storeDir", "info": {base name: object}}``, in which
  hashes and ``ca`` are objects and references base names
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from nixgen.driver.commands import nix
from nixgen.driver.commands.nix import NixOptions
from nixgen.errors import StoreError
from nixgen.programs.runner import Runner
from nixgen.store.digest import normalise_hash

__all__ = ["PathInfo", "Realisation", "parse", "query", "valid"]

_INVALID = re.compile(r"path '([^']+)' is not valid")


@frozen(kw_only=True)
class PathInfo:
    """A valid store path.

    :param path: full path.
    :param nar_hash: ``sha256:<Nix base-32>`` of its NAR.
    :param nar_size: bytes of its NAR.
    :param references: full paths, sorted; may hold the path itself.
    :param deriver: full path of the derivation that made it, when known.
    :param signatures: ``<key name>:<base64>`` each.
    :param ca: content address as in a narinfo's ``CA``, when it has one.
    """

    path: str
    nar_hash: str
    nar_size: int
    references: tuple[str, ...]
    deriver: str | None = None
    signatures: tuple[str, ...] = ()
    ca: str | None = None


@frozen(kw_only=True)
class Realisation:
    """That an output of a content-addressed derivation turned out to be a store path.

    :param id: ``sha256:<hex of the derivation, modulo its inputs>!<output name>``.
    :param path: full store path.
    :param dependencies: ids of the realisations that it was built with, and their paths.
    """

    id: str
    path: str
    signatures: tuple[str, ...] = ()
    dependencies: Mapping[str, str] = field(factory=dict)


def query(
    runner: Runner, options: NixOptions, paths: tuple[str, ...], *, recursive: bool
) -> dict[str, PathInfo]:
    """Metadata of the valid ones of ``paths``, by path.

    :raises StoreError: when Nix fails for another reason than an invalid path, or says nothing
        that is known.
    """
    found: dict[str, PathInfo] = {}
    for derivations in (False, True):
        chosen = tuple(path for path in paths if path.endswith(".drv") == derivations)
        while chosen:
            done = runner.run(
                nix.path_info(options, chosen, recursive=recursive, derivations=derivations)
            )
            if done.ok:
                found |= _parsed(done.stdout)
                break
            errors = nix.strip_noise(done.stderr_tail())
            invalid = set(_INVALID.findall("\n".join(errors)))
            if not invalid.intersection(chosen):
                raise StoreError("nix path-info failed", hint="run: nixgen doctor", details=errors)
            chosen = tuple(path for path in chosen if path not in invalid)
    return found


def _parsed(document: bytes) -> dict[str, PathInfo]:
    try:
        return parse(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"nix path-info printed what nixgen does not understand: {error!r}",
            hint="report the version of Nix: nix --version",
        ) from error


def valid(runner: Runner, options: NixOptions, paths: tuple[str, ...]) -> frozenset[str]:
    return frozenset(query(runner, options, paths, recursive=False)) if paths else frozenset()


def parse(document: bytes) -> dict[str, PathInfo]:
    """Any version's JSON → valid paths.

    :raises ValueError: (or KeyError, TypeError, AttributeError) when it is of no known shape.
    """
    data = json.loads(document)
    store_dir = "/nix/store"
    if isinstance(data, list):
        entries = [(entry["path"], entry) for entry in data if entry.get("valid", True)]
    else:
        if "info" in data:
            store_dir = data.get("storeDir", store_dir)
            data = data["info"]
        entries = [
            (_full(path, store_dir), entry)
            for path, entry in data.items()
            if isinstance(entry, dict)
        ]
    return {path: _path_info(path, entry, store_dir) for path, entry in entries}


def _path_info(path: str, entry: dict[str, Any], store_dir: str) -> PathInfo:
    deriver = entry.get("deriver")
    return PathInfo(
        path=path,
        nar_hash=normalise_hash(entry["narHash"]),
        nar_size=int(entry["narSize"]),
        references=tuple(sorted(_full(name, store_dir) for name in entry["references"])),
        deriver=_full(deriver, store_dir) if deriver else None,
        signatures=tuple(entry.get("signatures") or ()),
        ca=_content_address(entry.get("ca")),
    )


def _full(path: str, store_dir: str) -> str:
    return path if path.startswith("/") else f"{store_dir}/{path}"


def _content_address(value: Any) -> str | None:
    if not isinstance(value, dict):
        return value or None
    prefix = {"text": "text:", "flat": "fixed:", "nar": "fixed:r:", "git": "fixed:git:"}
    return prefix[value["method"]] + normalise_hash(value["hash"])
