"""``nixgen inputs options``: read the list of NixOS options, and search it.

The list comes from the project's nixpkgs, or from the options.json of a documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate.values import json_value
from nixgen.errors import EvaluationError, UsageError, counted
from nixgen.options.listing import documented_options, option_list_nix, options_of_tree
from nixgen.options.path import show
from nixgen.options.project import FILE
from nixgen.options.stub import Provenance, Stub
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.render.resources import nix_library

if TYPE_CHECKING:
    from nixgen.project.workspace import Workspace

__all__ = ["Match", "State", "Stub", "find", "read_documentation", "read_tree", "state"]

_INPUT = "nixpkgs"
#: One system for everybody, so that everybody gets the same list. Options hardly depend on it.
_SYSTEM = "x86_64-linux"


def read_tree(
    workspace: Workspace,
    *,
    overrides: Mapping[str, Path] = MappingProxyType({}),
    runner: Runner | None = None,
    debug: bool = False,
) -> Stub:
    """Evaluate the options of the pinned nixpkgs and of the project's own modules.

    Nothing is built.

    :param workspace: the project.
    :param overrides: input → the absolute path of the tree that replaces its pin.
    :param runner: runs Nix. None: as a child process.
    :param debug: put Nix's whole trace into an error.
    :raises LockError: flake-inputs.json is missing or wrong.
    :raises EvaluationError: the tree or one of the modules cannot be evaluated.
    :raises OutsideError: no Nix, or the tree cannot be fetched.
    """
    pin = workspace.options.pin
    if pin is None and _INPUT not in overrides:
        raise UsageError(
            f"flake-inputs.json pins no {_INPUT}, which has the options",
            hint="add it, or give the options.json of a documentation with --from FILE",
        )
    arguments = {
        "library": str(nix_library()),
        "inputs": str(workspace.pins_path),
        "overrides": {name: str(tree) for name, tree in overrides.items()},
        "modules": [str(workspace.root / path) for path in workspace.options.modules],
        "system": _SYSTEM,
    }

    def ask(*, reasons: bool) -> Stub:
        found = json_value(
            option_list_nix(),
            {**arguments, "reasons": reasons},
            runner=runner or SubprocessRunner(),
            options=NixOptions.of_host(),
            root=workspace.root,
            debug=debug,
        )
        provenance = Provenance(
            release=found["release"],
            pin=None if _INPUT in overrides else pin,
            modules=workspace.options.modules,
        )
        return Stub.of(options_of_tree(found), provenance)

    try:
        return ask(reasons=True)
    except EvaluationError:
        # assertions may need what only a whole machine has
        return ask(reasons=False)


def read_documentation(file: Path) -> Stub:
    """Read the options of a documentation of NixOS.

    :param file: its options.json.
    :raises InputError: the file is no options.json.
    """
    return Stub.of(documented_options(file), Provenance(complete=False))


@attrs.frozen
class State:
    """The state of the project's list of options.

    :param current: whether it is the list of the pinned nixpkgs; None if that is unknown.
    :param detail: the release and the number of options, or the reasons to read them again.
    """

    current: bool | None
    detail: str


def state(workspace: Workspace) -> State | None:
    """Compare the project's list of options with the pins.

    :param workspace: the project.
    :return: None if the project has no list.
    :raises LockError: the list or flake-inputs.json is wrong.
    """
    stub = workspace.options.stub
    if stub is None:
        return None
    release = f"NixOS {stub.provenance.release}: " if stub.provenance.release else ""
    what = f"{release}{counted(stub.count, 'option')}"
    if not stub.provenance.complete:
        return State(None, f"{what}, of a documentation")
    reasons = workspace.options.staleness()
    return State(not reasons, f"{what}; {'; '.join(reasons)}" if reasons else what)


@attrs.frozen
class Match:
    """An option that a search found.

    :param option: its path, as Nix writes it.
    :param type: the description of its type.
    """

    option: str
    type: str


def find(workspace: Workspace, words: Iterable[str]) -> Iterator[Match]:
    """Search the project's list of options. Upper and lower case are the same.

    :param workspace: the project.
    :param words: the words that the path of an option must contain.
    :raises UsageError: the project has no list of options.
    """
    stub = workspace.options.stub
    if stub is None:
        raise UsageError(
            f"the project has no {FILE}", hint="nixgen inputs options, without a word, writes it"
        )
    wanted = [word.casefold() for word in words]
    for path, described in stub.options():
        option = show(path)
        if all(word in option.casefold() for word in wanted):
            yield Match(option, described)
