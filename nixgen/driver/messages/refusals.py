"""The messages of Nix about builds that cannot go on, read by their English text.

Nix has no numbers for these. The texts differ between versions 2.8 and 2.34 as noted below.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from attrs import frozen

from nixgen.driver.messages.events import BuilderMismatch, BuilderUnavailable

__all__ = [
    "Blocked",
    "DerivationFailed",
    "Refusal",
    "planned_builds",
    "read_refusal",
]

# 2.8 … 2.29: builder for 'X' failed with …      2.30 …: Cannot build 'X'. Reason: builder failed …
_FAILED = re.compile(
    r"(?:builder for|[Cc]annot build|hash mismatch in fixed-output derivation) '([^']+\.drv)'",
)
# Nothing may build it. Nix since 2.30 says so of each derivation, older ones end without naming one.
_NOWHERE = re.compile(
    r"Reason:\s*(?:local builds are disabled|required system or feature not available)"
)
_DEPENDENCY = re.compile(r"Reason:\s*\d+ dependenc")
_PLAN = re.compile(r"th(?:is|ese (\d+)) derivations? will be built:")

# src/build-remote/build-remote.cc; the words are the same in 2.8 and 2.34
_REMOTE_FAILURE = re.compile(r"(?:error: )?build of '[^']+' on '[^']+' failed: ")
_UNAVAILABLE = re.compile(r"cannot build on '([^']+)': (.*)", re.DOTALL)
_MISMATCH = re.compile(
    r"Failed to find a machine for remote build!\s+derivation: (\S+)"
    r"\s+required \(system, features\): \(([^,)]*), ([^)]*)\)"
)


@frozen
class DerivationFailed:
    """A derivation failed by itself.

    :param drv: the derivation.
    :param reason: the message, without the sentence about the remote builder.
    :param remote: whether a remote builder reported it.
    """

    drv: str
    reason: str
    remote: bool


@frozen
class Blocked:
    """A derivation was not built because a dependency failed, or because nothing may build it.

    :param drv: the derivation.
    """

    drv: str


Refusal: TypeAlias = BuilderUnavailable | BuilderMismatch | DerivationFailed | Blocked


def read_refusal(text: str, *, error: bool) -> Refusal | None:
    """The refusal in a message; None for any other message.

    :param text: the message, without colours.
    :param error: whether Nix calls it an error. Nix tells of machines at other levels.
    """
    if unavailable := _UNAVAILABLE.match(text):
        return BuilderUnavailable(unavailable[1], tuple(unavailable[2].splitlines()))
    if mismatch := _MISMATCH.match(text):
        drv, system, features = mismatch.groups()
        return BuilderMismatch(drv, system, tuple(filter(None, features.strip("[]").split(", "))))
    failed = _FAILED.search(text) if error else None
    if failed is None:
        return None
    if _DEPENDENCY.search(text) or _NOWHERE.search(text):
        return Blocked(failed[1])
    remote = _REMOTE_FAILURE.match(text)
    return DerivationFailed(failed[1], text[remote.end() :] if remote else text, remote is not None)


def planned_builds(text: str) -> int:
    """The number of derivations that Nix announces to build; 0 for any other message.

    :param text: the message, without colours.
    """
    plan = _PLAN.match(text)
    return int(plan[1] or 1) if plan else 0
