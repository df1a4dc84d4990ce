"""Readers of option lists: the output of option-list.nix, and the options.json of NixOS's
documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nixgen.errors import InputError
from nixgen.options.path import ITEM, is_placeholder
from nixgen.options.stub import Declaration

__all__ = ["documented_options", "option_list_nix", "options_of_tree"]

# lib.modules.doRename, in DocBook until 22.05, and in Markdown
_ALIAS = re.compile(r"Alias of (?:<option>(.*)</option>|\{option\}`(.*)`)\.\s*", re.DOTALL)
# lib.modules.mkRemovedOptionModule
_REMOVED = re.compile(
    r"The option definition [`'](.*?)' in .*? ?no longer has any effect; please remove it\.\s*(.*)",
    re.DOTALL,
)
_ANYTHING = "unspecified value"


def option_list_nix() -> Path:
    """Path of the Nix function that lists the options of a tree."""
    return Path(__file__).with_name("option-list.nix")


def options_of_tree(document: Mapping[str, Any]) -> Iterator[Declaration]:
    """Read the output of option-list.nix.

    :param document: The output, parsed.
    """
    reasons = {
        found[1]: " ".join(found[2].split())
        for text in document["reasons"]
        if (found := _REMOVED.fullmatch(text))
    }
    for option in document["options"]:
        path = tuple(option["path"])
        alias = _ALIAS.fullmatch(option.get("alias", ""))
        yield Declaration(
            path=path,
            type=option["type"],
            read_only=option.get("readOnly", False),
            removed=reasons.get(".".join(path), "") if option.get("removed") else None,
            renamed=(alias[1] or alias[2]) if alias else None,
        )
    for place in document["freeform"]:
        yield Declaration(path=tuple(place["path"]), freeform=place["type"])


def documented_options(path: Path) -> tuple[Declaration, ...]:
    """Read an options.json, as nixos/release.nix builds it: an object of options by name, or a list
    of options.

    :param path: Path of the file.
    :raises InputError: The file cannot be read, or is no list of options.
    """
    try:
        options = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(
            f"{path} is not JSON: {error}",
            hint="if its name ends in .br, unpack it with brotli -d"
            if path.suffix == ".br"
            else "an options.json is wanted: nix-build nixos/release.nix -A options",
        ) from error
    entries = list(options.values()) if isinstance(options, dict) else options
    try:
        found = [
            Declaration(
                path=tuple(map(str, entry["loc"])),
                type=str(entry["type"]),
                read_only=bool(entry.get("readOnly", False)),
            )
            for entry in entries
            if "_module" not in entry["loc"]
        ]
    except (AttributeError, LookupError, TypeError) as error:
        raise InputError(
            f"{path} is no list of NixOS options: not every entry has loc and type",
            hint="an options.json is wanted: nix-build nixos/release.nix -A options",
        ) from error
    if not found:
        raise InputError(f"{path} lists no options")
    return (*found, *_open_places(found))


def _open_places(options: list[Declaration]) -> Iterator[Declaration]:
    """Declare all submodules open when the list is of 22.05 or older: its descriptions do not say
    which submodules accept members that they do not declare.
    """
    if any(option.type and "open submodule" in option.type for option in options):
        return
    paths = {option.path for option in options}
    places = {
        path[: _end_of_choices(path, length)]
        for path in paths
        for length in range(1, len(path))
        if path[:length] in paths
    }
    for place in sorted(places):
        yield Declaration(path=place, freeform=_ANYTHING)


def _end_of_choices(path: tuple[str, ...], start: int) -> int:
    """The index behind the names and list positions that the user chooses, from ``start`` on."""
    while start < len(path) and (path[start] == ITEM or is_placeholder(path[start])):
        start += 1
    return start
