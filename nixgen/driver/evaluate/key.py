"""The names of evaluations: one for each target, over everything that its evaluation can read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from nixgen.driver.evaluate.dependencies import Dependencies, DependencyGraph

__all__ = ["TargetKey", "nix_files", "nix_settings", "nix_variables", "target_keys"]

_FORM = "nixgen/evaluation/2"
#: Nix's own, and those that nixpkgs and NixOS read for themselves, such as NIXPKGS_ALLOW_UNFREE
_PREFIXES = ("NIX_", "NIXOS_", "NIXPKGS_")
#: set for builds, and read by no evaluation
_UNREAD = frozenset({"NIX_SSHOPTS"})


@frozen(kw_only=True)
class TargetKey:
    """
    :param key: 64 hexadecimal digits; equal ones mean equal derivations. None when the target has to be evaluated each time.
    :param dependencies: what it was made from. Its doubts say why there is no key.
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

    :param rows: target → what `generated/default.nix` would be if the project had only this target.
    :param place: where that file lies.
    :param settings: everything that is no file, in values that JSON has: base, Nix, system, environment, mirrors, ….
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
    """Nix's configuration files, there or not (nix.conf(5))."""
    home = environment.get("HOME", "/")
    folders = [environment.get("XDG_CONFIG_HOME", f"{home}/.config")]
    folders += environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    files = [f"{environment.get('NIX_CONF_DIR', '/etc/nix')}/nix.conf"]
    files += environment.get("NIX_USER_CONF_FILES", "").split(":")
    files += (f"{folder}/nix/nix.conf" for folder in folders)
    return tuple(file for file in files if file)


def nix_settings(environment: Mapping[str, str]) -> Mapping[str, object]:
    """What Nix itself reads, besides what it is told on its command line."""
    return {
        "files": {file: _digest(file).hex() for file in nix_files(environment)},
        "variables": {name: environment[name] for name in nix_variables(environment)},
    }


def nix_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that are set of those that an evaluation may read without being seen to."""
    return tuple(
        sorted(name for name in environment if name.startswith(_PREFIXES) and name not in _UNREAD)
    )


def _digest(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123
            return hashlib.sha256(stream.read()).digest()
    except OSError as error:
        return os.strerror(error.errno or 0).encode()
