"""Fetch a tree of sources by Nix's own fetchers, with its revision, hash and date.

``builtins.fetchTree`` takes the attributes of a flake's input since Nix 2.4. It is part of an
experimental feature, which is enabled for this evaluation alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.driver.commands.nix import NixOptions, evaluate
from nixgen.driver.messages.events import Event, Message
from nixgen.driver.messages.faults import input_fault, store_fault
from nixgen.driver.messages.inference import EventParser
from nixgen.driver.messages.trace import parse_trace
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["Fetched", "fetch_tree"]

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

    :param rev: the revision; None for a tree that is not under version control.
    :param nar_hash: the hash of its NAR, ``sha256-<base64>``.
    :param last_modified: the date; None if it is unknown, as of tarballs in Nix 2.8.
    :param path: the store path.
    """

    rev: str | None
    nar_hash: str
    last_modified: datetime | None
    path: Path


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

    :param reference: the attributes of a flake's input: ``type``, and others that depend on it.
    :param name: the name of the input, for errors.
    :param origin: the place that it is fetched from, for errors.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param cache: a folder that replaces Nix's cache of downloads. With an empty one, Nix asks the
        host in any case.
    :param observe: gets the events of transfers. Messages are used for errors only.
    :raises LockError: the reference is wrong, such as its hash.
    :raises OutsideError: the tree cannot be fetched; git is missing; the store cannot be written.
    """
    parser, messages = EventParser(), list[str]()

    def read(line: bytes) -> None:
        for event in parser.feed(line):
            if not isinstance(event, Message):
                observe(event)
            elif not event.text.startswith("(use '--show-trace'"):
                words = event.text.splitlines()
                messages.extend(words if event.level else [f"error: {words[0]}", *words[1:]])

    command = evaluate(
        options,
        *("--json", "--read-write-mode"),
        # Ask each time which commit a branch has, and give up soon on a host that does not answer.
        *("--option", "tarball-ttl", "0", "--option", "connect-timeout", "15"),
        *("--log-format", "internal-json", "-v"),
        *("--argstr", "reference", json.dumps(dict(reference), ensure_ascii=False)),
        *("--expr", _EXPRESSION),
        variables={} if cache is None else {"XDG_CACHE_HOME": str(cache)},
    )
    done = runner.lines(command, read)
    if done.ok:
        value = json.loads(done.stdout)
        seconds = value["lastModified"]
        return Fetched(
            rev=value["rev"],
            nar_hash=value["narHash"],
            last_modified=None if seconds is None else datetime.fromtimestamp(seconds, UTC),
            path=Path(value["path"]),
        )
    trace = parse_trace("\n".join(messages).encode())
    commit = f", commit {reference['rev']}" if "rev" in reference else ""
    # the message of nix/lib/inputs.nix, which nixgen.driver.messages.faults reads
    context = f'while fetching the input "{name}" from {origin}{commit}'
    fault = store_fault(trace.message) or input_fault((*trace.lines, context))
    assert fault is not None  # noqa: S101 - the context names the input
    raise fault
