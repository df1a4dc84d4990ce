"""Map failures that Nix reports as text to errors: of the store, the network and the inputs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from nixgen.driver.commands import access
from nixgen.driver.commands.access import Refusal
from nixgen.errors import LockError, MirrorError, OutsideError, StoreError
from nixgen.programs.child import missing_tool
from nixgen.store.digest import Hash

__all__ = ["fetch_fault", "input_fault", "store_fault"]

_FULL = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded")
_READ_ONLY = re.compile(
    r"Read-only file system|attempt to write a readonly database|remounting .* writable"
)
_DENIED = re.compile(
    r"(?:opening|creating|cannot open|connect to|big-lock|lock file).*Permission denied"
    r"|Permission denied.*?/nix/"
    r"|cannot connect to (?:daemon|socket).*"
    r"|getting status of .*/socket'?: Permission denied"
    # the message for a user without a daemon, of a store that belongs to root
    r"|could not set permissions on .*Operation not permitted",
)
_URL = re.compile(r"(?:https?|ftp)://[^\s'\"]+")
_GONE = re.compile(
    r"HTTP error (404|410)\b|\b(404|410) Not Found|server returned error: .*\b(404|410)\b"
)
_UNREACHABLE = re.compile(
    r"unable to download|[Cc]ould(?:n't| not) resolve|[Cc]ould(?:n't| not) connect|[Tt]imed? ?out"
    r"|[Cc]onnection (?:refused|reset)|bad address|can't connect|HTTP error \d+|Temporary failure"
)
_REASON = re.compile(r"unable to download '[^']*': (.+)")
_MISMATCH = re.compile(r"hash mismatch")
_INPUTS = "flake-inputs.json"
# the message of nix/lib/inputs.nix; traces also show the source line with these words, which has ${
_INPUT = re.compile(
    r"^\s*(?:…\s*)?while fetching the input \"(.+?)\" from (.+?)(?:, commit ([0-9a-f]{40}))?$"
)
_WRONG_INPUT = re.compile(r'the input "(.+?)" ')
# fetchTarball; inputs.nix itself, for git; builtins.path, for folders, whose message has no hash
_OTHER_HASH = re.compile(r"hash mismatch|is not what is pinned|store path mismatch")
_EXPECTED = re.compile(r"(?:specified:|expected)\s+(sha256[:-][A-Za-z0-9+/]+=?)")
_GOT = re.compile(r"(?:got:?)\s+(sha256[:-][A-Za-z0-9+/]+=?)")
# Nix 2.26 and git report it in lines before the error, which is about something else
_LOST = re.compile(
    r"Cannot find Git revision|object not found|remote error: upload-pack"
    r"|ambiguous argument|[Cc]ould(?:n't| not) find remote ref|[Rr]emote branch .* not found|cannot read object|revspec .* not found"
)
_NO_GIT = re.compile(r"executing 'git': No such file")
# patterns of the line that explains a failure, the best first
_EXPLANATIONS = (
    re.compile(r"^(?!.*retrying in).*unable to (?:download|access)"),
    re.compile(r"fatal: |HTTP error|does not exist"),
    re.compile(r"^\s*error: "),
)


_FULL_DISK = Refusal("the disk of the Nix store is full", "free space with: nix-collect-garbage")
_READ_ONLY_STORE = Refusal(
    "the Nix store is read-only", "mount it writable: mount -o remount,rw /nix"
)
_UNKNOWN_REFUSAL = Refusal(
    "the Nix store refuses this user",
    "run as a user of the Nix daemon (group nix-users), or as root",
)


def store_fault(lines: Iterable[str]) -> StoreError | None:
    """The error for a store that cannot be written; None if the lines are about something else.

    :param lines: what Nix wrote to standard error.
    """
    for line in lines:
        if _FULL.search(line):
            found = _FULL_DISK
        elif _READ_ONLY.search(line):
            found = _READ_ONLY_STORE
        elif _DENIED.search(line):
            found = access.refusal() or _UNKNOWN_REFUSAL
        else:
            continue
        return StoreError(found.message, hint=found.remedy, details=(line.strip(),))
    return None


def fetch_fault(name: str, lines: Iterable[str]) -> OutsideError | None:
    """The error of a file that a Debian mirror did not deliver; None for any other failure.

    A mirror keeps only the newest version of a package, so 404 means that the lock is out of date.

    :param name: the file.
    :param lines: the log of the build that fetches it.
    """
    text = "\n".join(lines)
    url = _URL.search(text)
    mirror = f" from {url[0]}" if url else ""
    if _GONE.search(text):
        return MirrorError(
            f"the mirror no longer has {name}{mirror}: the package was superseded",
            hint="lock the versions it has now with: nixgen inputs update debian",
        )
    if _MISMATCH.search(text):
        return MirrorError(
            f"{name}{mirror} is not the file that was locked",
            hint="try another mirror (NIXGEN_DEBIAN_MIRROR), or lock again with:"
            " nixgen inputs update debian",
        )
    if _UNREACHABLE.search(text):
        reason = _REASON.search(text)
        return MirrorError(
            f"the Debian mirror did not deliver {name}{mirror}",
            hint="check the network, or set NIXGEN_DEBIAN_MIRROR to a mirror that answers",
            details=(reason[1].strip(),) if reason else (),
        )
    return None


def input_fault(lines: Iterable[str]) -> LockError | OutsideError | None:
    """The error of an input of flake-inputs.json; None for any other failure.

    A wrong pin is a LockError. A host that does not answer, or has lost a commit, is an
    OutsideError.

    :param lines: the whole trace of an evaluation.
    """
    lines = tuple(lines)
    text = "\n".join(lines)
    fetching = next((found for line in lines if (found := _INPUT.search(line))), None)
    if fetching is None:
        return _unfit_input(lines)
    name, origin, commit = fetching.groups()
    update = f"nixgen inputs update {name}{f' --to {commit}' if commit else ''}"
    if _OTHER_HASH.search(text):
        hashes = {"expected": _EXPECTED.search(text), "got": _GOT.search(text)}
        return LockError(
            f"the input {name} is not what {_INPUTS} pins",
            where=_INPUTS,
            hint=f"if you trust {origin}, pin its present content: {update}",
            details=[
                f"{word:<9}{Hash.parse(found[1]).sri}" for word, found in hashes.items() if found
            ],
        )
    if (unfit := _unfit_input(lines)) is not None:
        return unfit
    if _NO_GIT.search(text):
        return missing_tool("git")
    copy = f"use a local copy: --override-input {name}=PATH"
    explanations = (
        line.strip().removeprefix("error: ")
        for pattern in _EXPLANATIONS
        for line in reversed(lines)
        if pattern.search(line)
    )
    details = list(itertools.islice(explanations, 1))
    if _GONE.search(text) or (_LOST.search(text) and not _UNREACHABLE.search(text)):
        what = f"the commit {commit[:12]} of" if commit else "what is pinned as"
        return OutsideError(
            f"{origin} does not have {what} the input {name}",
            where=_INPUTS,
            hint=f"pin something else with nixgen inputs update {name} --to …, or {copy}",
            details=details,
        )
    return OutsideError(
        f"the input {name} cannot be fetched from {origin}",
        where=_INPUTS,
        hint=f"check the network, or {copy}",
        details=details,
    )


def _unfit_input(lines: tuple[str, ...]) -> LockError | None:
    for line in lines:
        if found := _WRONG_INPUT.match(line.strip().removeprefix("error: ")):
            pinned = "is not pinned" not in found.string
            return LockError(
                found.string,
                where=_INPUTS,
                hint=f"correct its entry, or use another tree: --override-input {found[1]}=PATH"
                if pinned
                else f"`nixgen init` in an empty folder writes a {_INPUTS} that has it",
            )
    return None
