"""``nixgen build`` and ``nixgen cache push`` with nothing to do: the answer without loading a command line, models, Nix or boto3."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from nixgen import stamp

__all__ = ["nothing_to_do", "nothing_to_push"]


def _parse(
    arguments: Sequence[str], options: frozenset[str]
) -> tuple[dict[str, list[str]], tuple[str, ...]] | None:
    """Every option with its values, and the other words; None for anything out of the ordinary, which typer then reads."""
    given: dict[str, list[str]] = {}
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in options:
            value = next(rest, None)
            if value is None:
                return None
            given.setdefault(word, []).append(value)
        elif word.startswith("-"):
            return None
        else:
            words.append(word)
    return given, tuple(words)


_BUILD = frozenset({"--project", "--base", "--env"})


def _last(given: dict[str, list[str]], option: str, default: str) -> str:
    return given.get(option, [default])[-1]


def _stamped(given: dict[str, list[str]], targets: tuple[str, ...]) -> list[tuple[str, str]] | None:
    environment = given.get("--env", [None])[-1]
    root = os.path.realpath(_last(given, "--project", "."))
    return stamp.load(root, (targets, _last(given, "--base", "debian"), environment))


def nothing_to_do(arguments: Sequence[str]) -> bool:
    """Answer the command and return True, if the last build stands."""
    parsed = _parse(arguments, _BUILD)
    outputs = _stamped(*parsed) if parsed else None
    if outputs is None:
        return False
    width = max((len(attr) for attr, _ in outputs), default=0)
    faint, end = ("\x1b[2m", "\x1b[0m") if _coloured() else ("", "")
    for attr, path in outputs:
        print(f"{faint}cached {end} {attr:<{width}}  {path}")
    print(f"{len(outputs)} targets, nothing to do", file=sys.stderr)
    return True


def nothing_to_push(arguments: Sequence[str]) -> bool:
    """Answer the command and return True, if the last such push stands, and so does what it pushed."""
    parsed = _parse(arguments, _BUILD | {"--to", "--key"})
    if parsed is None:
        return False
    given, words = parsed
    to = _last(given, "--to", os.environ.get("NIXGEN_CACHE", ""))
    targets = tuple(word for word in words if not word.startswith("/"))
    bare = bool(words) and not targets
    if not to or (bare and "://" not in to):
        return False
    outputs = [] if bare else _stamped(given, targets)
    if outputs is None:
        return False
    from nixgen import pushed

    project = _last(given, "--project", ".")
    asked = pushed.request(
        project=project,
        targets=words,
        outputs=[path for _, path in outputs],
        to=to,
        keys=given.get("--key", []),
        base=_last(given, "--base", "debian"),
        environment=given.get("--env", [None])[-1],
    )
    count = pushed.everything_there(None if bare else os.path.realpath(project), asked)
    if count is None:
        return False
    print(f"{to} has all {count} paths already")
    return True


def _coloured() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ
