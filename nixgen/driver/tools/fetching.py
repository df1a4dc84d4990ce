"""A tree of sources by Nix's own fetchers: what revision it has, its hash, its date.

``builtins.fetchTree`` takes the same attributes as the inputs of a flake, and has since Nix 2.4. It belongs to an
experimental feature, which is enabled for this one evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.messages.events import Event, Message
from nixgen.driver.messages.faults import input_fault, store_fault
from nixgen.driver.messages.inference import EventParser
from nixgen.driver.messages.trace import parse_trace
from nixgen.programs.command import Command
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["Fetched", "fetch_tree", "tree_command"]

_EXPRESSION = """\
{ reference }:
let
  tree = builtins.fetchTree (builtins.fromJSON reference);
in
{
  inherit (tree) narHash;
  lastModified = tree.lastModified or null;
  path = tree.outPath;
  rev = tree.rev or null;
}
"""


@frozen(kw_only=True)
class Fetched:
    """A tree in the store.

    :param rev: of what comes from version control.
    :param nar_hash: ``sha256-<base64>``.
    :param last_modified: when it is known; of a tarball, Nix 2.8 does not say.
    :param path: in the store.
    """

    rev: str | None
    nar_hash: str
    last_modified: datetime | None
    path: Path


def tree_command(
    reference: Mapping[str, Any], *, options: NixOptions, cache: Path | None = None
) -> Command:
    """See `fetch_tree`."""
    return Command(
        argv=(
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            "--read-write-mode",
            *options.arguments,
            # What a branch means is asked each time; and a host that answers does so soon.
            *("--option", "tarball-ttl", "0", "--option", "connect-timeout", "15"),
            *("--log-format", "internal-json", "-v"),
            *("--argstr", "reference", json.dumps(dict(reference), ensure_ascii=False)),
            "--expr",
            _EXPRESSION,
        ),
        env={} if cache is None else {"XDG_CACHE_HOME": str(cache)},
    )


def fetch_tree(
    reference: Mapping[str, Any],
    *,
    name: str,
    origin: str,
    runner: Runner,
    options: NixOptions,
    cache: Path | None = None,
    observe: Callable[[Event], None] = ignore,
) -> Fetched:
    """Bring a tree into the store.

    :param reference: attributes of a flake's input: ``type`` and what belongs to it.
    :param name: of the input that is fetched, and ``origin``, where from, for errors.
    :param observe: gets what is transferred; what Nix and git say is only for errors.
    :param cache: in place of Nix's own cache of downloads, below the user's: with an empty one, hosts are asked in any case.
    :raises LockError: the reference says something that is not so.
    :raises OutsideError: it cannot be had; no git; the store cannot be written.
    """
    parser, said = EventParser(), list[str]()

    def hear(line: bytes) -> None:
        for event in parser.feed(line):
            if not isinstance(event, Message):
                observe(event)
            elif not event.text.startswith("(use '--show-trace'"):
                words = event.text.splitlines()
                said.extend(words if event.level else [f"error: {words[0]}", *words[1:]])

    done = runner.lines(tree_command(reference, options=options, cache=cache), hear)
    if done.ok:
        return _fetched(json.loads(done.stdout))
    trace = parse_trace("\n".join(said).encode())
    commit = f", commit {reference['rev']}" if "rev" in reference else ""
    # as nix/lib/inputs.nix says it, and nixgen.driver.messages.faults reads it
    context = f'while fetching the input "{name}" from {origin}{commit}'
    fault = store_fault(trace.message) or input_fault((*trace.lines, context))
    assert fault is not None  # noqa: S101 - it is told what has been fetched
    raise fault


def _fetched(value: Mapping[str, Any]) -> Fetched:
    seconds = value["lastModified"]
    return Fetched(
        rev=value["rev"],
        nar_hash=value["narHash"],
        last_modified=None if seconds is None else datetime.fromtimestamp(seconds, UTC),
        path=Path(value["path"]),
    )
