"""The key of a target: a digest of everything that its evaluation can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from nixgen.driver.evaluate.dependencies import Dependencies, DependencyGraph, file_content

__all__ = ["TargetKey", "nix_files", "nix_settings", "nix_variables", "target_keys"]

_FORM = "nixgen/evaluation/2"
#: The variables that Nix, nixpkgs and NixOS read, such as NIXPKGS_ALLOW_UNFREE.
_PREFIXES = ("NIX_", "NIXOS_", "NIXPKGS_")
#: Variables for builds, which no evaluation reads.
_UNREAD = frozenset({"NIX_SSHOPTS"})


@frozen(kw_only=True)
class TargetKey:
    """The key of a target.

    :param key: 64 hexadecimal digits. Equal keys mean equal derivations. None when the target must
        be evaluated each time.
    :param dependencies: everything in the digest. Its doubts are the reasons why there is no key.
    """

    key: str | None
    dependencies: Dependencies


def target_keys(
    rows: Mapping[str, bytes],
    place: Path,
    *,
    graph: DependencyGraph,
    settings: Mapping[str, object],
) -> Mapping[str, TargetKey]:
    """The key of each target.

    :param rows: target → the text that ``generated/default.nix`` would have with this target alone.
    :param place: the path of that file.
    :param graph: reads the files that the texts name.
    :param settings: all other inputs, as `json.dumps` takes them: the base, Nix, the system, ….
    """
    common = hashlib.sha256(_FORM.encode())
    common.update(json.dumps(dict(settings), sort_keys=True).encode())
    keys: dict[str, TargetKey] = {}
    for attr, row in rows.items():
        dependencies = graph.dependencies(row, str(place))
        digest = common.copy()
        digest.update(dependencies.digest)
        key = None if dependencies.doubts else digest.hexdigest()
        keys[attr] = TargetKey(key=key, dependencies=dependencies)
    return keys


def nix_files(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The configuration files that Nix would read, whether they exist or not (nix.conf(5)).

    :param environment: the environment of Nix.
    """
    home = environment.get("HOME", "/")
    folders = [environment.get("XDG_CONFIG_HOME", f"{home}/.config")]
    folders += environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    files = [f"{environment.get('NIX_CONF_DIR', '/etc/nix')}/nix.conf"]
    files += environment.get("NIX_USER_CONF_FILES", "").split(":")
    files += (f"{folder}/nix/nix.conf" for folder in folders)
    return tuple(file for file in files if file)


def nix_settings(environment: Mapping[str, str]) -> Mapping[str, object]:
    """The settings that Nix reads from files and variables, as `json.dumps` takes them.

    :param environment: the environment of Nix.
    """
    return {
        "files": {
            file: hashlib.sha256(file_content(file)).hexdigest() for file in nix_files(environment)
        },
        "variables": {name: environment[name] for name in nix_variables(environment)},
    }


def nix_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of variables that Nix and nixpkgs may read, and that are set.

    No Nix file has to name them for that, so `DependencyGraph` cannot find them.

    :param environment: the environment of Nix.
    """
    return tuple(
        sorted(name for name in environment if name.startswith(_PREFIXES) and name not in _UNREAD)
    )
