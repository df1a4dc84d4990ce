"""The events of a build, as a closed union: what the rest of nixgen knows of Nix's progress.

`nixgen.driver.messages.inference` makes them of the lines that Nix writes.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from nixgen.store.path import path_name

__all__ = [
    "BuildFailed",
    "BuildFinished",
    "BuildLine",
    "BuildPhase",
    "BuildStarted",
    "BuilderMismatch",
    "BuilderUnavailable",
    "Event",
    "Message",
    "Progress",
    "Transfer",
    "TransferFinished",
    "TransferProgress",
    "TransferStarted",
    "drv_name",
]

Transfer: TypeAlias = Literal["copy", "substitute", "fetch"]


@frozen
class BuildStarted:
    """The build of a derivation begins.

    :param drv: the derivation.
    :param machine: the address of the remote builder; empty for this computer.
    """

    drv: str
    machine: str


@frozen
class BuildFinished:
    """The build of a derivation ended without a failure.

    :param drv: the derivation.
    :param seconds: the time it took, at most.
    """

    drv: str
    seconds: float


@frozen
class BuildFailed:
    """The build of a derivation failed.

    :param drv: the derivation.
    :param seconds: the time until the failure, at most.
    :param reason: the message of Nix, on one line or several.
    :param builder: the address of the remote builder that failed; empty if the derivation failed.
    """

    drv: str
    seconds: float
    reason: str
    builder: str = ""


@frozen
class BuilderUnavailable:
    """A remote builder cannot be used. Nix goes on with the others, or with this computer.

    :param machine: the address of the builder.
    :param words: the lines that ssh wrote, then those of Nix.
    """

    machine: str
    words: tuple[str, ...]


@frozen
class BuilderMismatch:
    """No usable remote builder has the system and the features of a derivation, and this computer
    may not build it either.

    :param drv: the base name of the derivation.
    :param system: the system that it needs.
    :param features: the system features that it needs.
    """

    drv: str
    system: str
    features: tuple[str, ...]


@frozen
class BuildLine:
    """A line in the log of a build.

    :param drv: the derivation.
    :param text: the line, without colours.
    """

    drv: str
    text: str


@frozen
class BuildPhase:
    """A build enters a phase.

    :param drv: the derivation.
    :param phase: such as ``unpackPhase``.
    """

    drv: str
    phase: str


@frozen
class Progress:
    """Counts over the whole run. Each event replaces the one before it.

    :param what: the thing counted.
    :param done: how many are done.
    :param expected: how many there will be, as far as Nix knows.
    :param running: how many run now.
    :param failed: how many failed.
    """

    what: Literal["builds", "copies"]
    done: int
    expected: int
    running: int
    failed: int


@frozen
class TransferStarted:
    """A transfer begins.

    :param kind: how it is transferred.
    :param item: a store path, or a URL for ``fetch``.
    :param source: the store that it comes from; empty for ``fetch``.
    """

    kind: Transfer
    item: str
    source: str


@frozen
class TransferFinished:
    """A transfer ended.

    :param kind: see `TransferStarted`.
    :param item: see `TransferStarted`.
    :param seconds: the time it took.
    """

    kind: Transfer
    item: str
    seconds: float


@frozen
class TransferProgress:
    """The progress of a ``fetch``.

    :param item: the URL.
    :param done: bytes so far.
    :param expected: bytes in all; 0 as long as the size is unknown.
    """

    item: str
    done: int
    expected: int


@frozen
class Message:
    """A message of Nix, or a line of a program that Nix runs.

    :param level: 0 for an error, 1 for a warning, 3 for information.
    :param text: one line or several, without colours.
    """

    level: int
    text: str


Event: TypeAlias = (
    BuildStarted
    | BuildFinished
    | BuildFailed
    | BuildLine
    | BuildPhase
    | BuilderMismatch
    | BuilderUnavailable
    | Progress
    | TransferStarted
    | TransferFinished
    | TransferProgress
    | Message
)


def drv_name(drv: str) -> str:
    """The name of a derivation: ``/nix/store/<hash>-nginx-1.22.drv`` → ``nginx-1.22``.

    :param drv: its store path.
    """
    return path_name(drv).removesuffix(".drv")
