"""Read ``nix path-info --json`` of Nix 2.8 … 2.36 and Lix. The shape of the JSON differs:

- until 2.18: a list of objects with ``path``; an invalid path has ``"valid": false``
- since 2.19: a map from path to object; an invalid path is null
- newer (``--json-format 2``): ``{"version", "storeDir", "info": {base name: object}}``, in which
  hashes and ``ca`` are objects and references base names
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from nixgen.driver.commands import nix
from nixgen.driver.commands.nix import NixOptions
from nixgen.errors import StoreError
from nixgen.programs.runner import Runner
from nixgen.records.structure import parse_as
from nixgen.store.digest import Hash
from nixgen.store.path import STORE

__all__ = ["PathInfo", "Realisation", "parse", "query"]

_INVALID = re.compile(r"path '([^']+)' is not valid")


@frozen(kw_only=True)
class PathInfo:
    """The metadata of a valid store path.

    :param path: the full path.
    :param nar_hash: the hash of its NAR, ``sha256:<Nix base 32>``.
    :param nar_size: the size of its NAR in bytes.
    :param references: full paths, sorted. The path itself may be one.
    :param deriver: the full path of the derivation that made it; None if it is unknown.
    :param signatures: each ``<key name>:<base64>``.
    :param ca: the content address, as ``CA`` in a narinfo; None if it has none.
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
    """The store path that an output of a content-addressed derivation has.

    :param id: ``sha256:<hex of the derivation, modulo its inputs>!<output name>``.
    :param path: the full store path.
    :param signatures: each ``<key name>:<base64>``.
    :param dependencies: id of each realisation that it was built with → its store path.
    """

    id: str
    path: str
    signatures: tuple[str, ...] = ()
    dependencies: Mapping[str, str] = field(factory=dict)


_METHODS = {"text": "text:", "flat": "fixed:", "nar": "fixed:r:", "git": "fixed:git:"}


@frozen(kw_only=True)
class _ContentAddress:
    method: Literal["text", "flat", "nar", "git"]
    hash: Any


@frozen(kw_only=True)
class _Entry:
    nar_hash: Any
    nar_size: int
    references: tuple[str, ...]
    deriver: str | None = None
    signatures: tuple[str, ...] | None = None
    ca: str | _ContentAddress | None = None


@frozen(kw_only=True)
class _Listed(_Entry):
    path: str
    valid: bool = True


@frozen(kw_only=True)
class _Invalid:
    path: str
    valid: Literal[False]


@frozen(kw_only=True)
class _Versioned:
    info: Mapping[str, _Entry | None]
    store_dir: str = STORE


# 2.34 puts "version" and "storeDir" beside the paths of the older map
_Paths = Mapping[str, int | str | _Entry | None]
_DOCUMENT = tuple[_Invalid | _Listed, ...] | _Versioned | _Paths


def query(
    runner: Runner, options: NixOptions, paths: tuple[str, ...], *, recursive: bool
) -> dict[str, PathInfo]:
    """The metadata of valid paths, by path.

    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param paths: full store paths. Invalid ones are left out.
    :param recursive: include the closure.
    :raises StoreError: Nix fails for another reason than an invalid path, or its output has no
        known shape.
    """
    infos: dict[str, PathInfo] = {}
    for derivations in (False, True):
        chosen = tuple(path for path in paths if path.endswith(".drv") == derivations)
        while chosen:
            done = runner.run(
                nix.path_info(options, chosen, recursive=recursive, derivations=derivations)
            )
            if done.ok:
                infos |= _parsed(done.stdout)
                break
            errors = nix.strip_noise(done.stderr_tail())
            invalid = set(_INVALID.findall("\n".join(errors)))
            if not invalid.intersection(chosen):
                raise StoreError("nix path-info failed", hint="run: nixgen doctor", details=errors)
            chosen = tuple(path for path in chosen if path not in invalid)
    return infos


def _parsed(document: bytes) -> dict[str, PathInfo]:
    try:
        return parse(document)
    except ValueError as error:
        raise StoreError(
            f"nix path-info printed what nixgen does not understand: {error}",
            hint="report the version of Nix: nix --version",
        ) from error


def parse(document: bytes) -> dict[str, PathInfo]:
    """Read the JSON of any version of Nix.

    :param document: the output of ``nix path-info --json``.
    :return: path → metadata, of the valid paths.
    :raises ValueError: it has none of the known shapes.
    """
    read = parse_as(_DOCUMENT, document)
    if isinstance(read, tuple):
        return {each.path: _path_info(each.path, each) for each in read if each.valid}
    entries, folder = (read.info, read.store_dir) if isinstance(read, _Versioned) else (read, STORE)
    paths = {
        _full(path, folder): entry for path, entry in entries.items() if isinstance(entry, _Entry)
    }
    return {path: _path_info(path, entry, folder) for path, entry in paths.items()}


def _path_info(path: str, entry: _Entry, folder: str = STORE) -> PathInfo:
    return PathInfo(
        path=path,
        nar_hash=str(Hash.parse(entry.nar_hash)),
        nar_size=entry.nar_size,
        references=tuple(sorted(_full(name, folder) for name in entry.references)),
        deriver=_full(entry.deriver, folder) if entry.deriver else None,
        signatures=entry.signatures or (),
        ca=_content_address(entry.ca),
    )


def _full(path: str, folder: str) -> str:
    return path if path.startswith("/") else f"{folder}/{path}"


def _content_address(value: str | _ContentAddress | None) -> str | None:
    if isinstance(value, _ContentAddress):
        return _METHODS[value.method] + str(Hash.parse(value.hash))
    return value or None
