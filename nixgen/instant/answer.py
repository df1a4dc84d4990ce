"""Answers of ``nixgen build`` and ``nixgen cache push`` with nothing to do.

They need neither the command line nor models, Nix or boto3, none of which is loaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from nixgen.errors import counted
from nixgen.instant import stamp

__all__ = ["nothing_to_do", "nothing_to_push"]


def _parse(
    arguments: Sequence[str], options: frozenset[str], flags: frozenset[str] = frozenset()
) -> tuple[dict[str, list[str]], tuple[str, ...]] | None:
    """Read a simple command line.

    :returns: option → its values (none for a flag), and the other words; None when there is
        anything else, which typer then reads.
    """
    given: dict[str, list[str]] = {}
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        option, equals, value_beside = word.partition("=")
        if equals and option in options:
            given.setdefault(option, []).append(value_beside)
        elif word in options:
            value = next(rest, None)
            if value is None:
                return None
            given.setdefault(word, []).append(value)
        elif word in flags:
            given.setdefault(word, [])
        elif word.startswith("-"):
            return None
        else:
            words.append(word)
    return given, tuple(words)


_BUILD = frozenset({"--project", "--base", "--env"})
_DRY_RUN, _OVERRIDE = "--dry-run", "--override-input"
#: Flags that change nothing about an answer of one line.
_WITHOUT_EFFECT = frozenset({"-v", "--verbose"})


def _last(given: dict[str, list[str]], option: str, default: str) -> str:
    return given.get(option, [default])[-1]


def _stamped(given: dict[str, list[str]], targets: tuple[str, ...]) -> list[stamp.Result] | None:
    overrides = {}
    for word in given.get(_OVERRIDE, ()):
        name, equals, path = word.partition("=")
        if not equals or not path or name in overrides:
            return None
        overrides[name] = os.path.realpath(os.path.expanduser(path))
    asked = stamp.request(
        stamp.DRY_RUN if _DRY_RUN in given else stamp.BUILD,
        targets,
        base=_last(given, "--base", "debian"),
        environment=given.get("--env", [None])[-1],
        overrides=overrides,
    )
    return stamp.load(os.path.realpath(_last(given, "--project", ".")), asked)


def nothing_to_do(arguments: Sequence[str]) -> bool:
    """Answer ``nixgen build`` when the last build or dry run of the same targets still holds.

    :param arguments: the words behind ``nixgen build``.
    :returns: whether it was answered.
    """
    parsed = _parse(arguments, _BUILD | {_OVERRIDE}, _WITHOUT_EFFECT | {_DRY_RUN})
    results = _stamped(*parsed) if parsed else None
    if parsed is None or results is None:
        return False
    width = max((len(attr) for attr, _, _ in results), default=0)
    # as console.print_built and console.print_planned lay it out
    column = 11 if _DRY_RUN in parsed[0] else 7
    for attr, status, path in results:
        print(f"{_painted(f'{status:<{column}}', status)} {attr:<{width}}  {path}")
    missing = sum(status != "cached" for _, status, _ in results)
    summary = (
        f"{missing} of {counted(len(results), 'target')} would be built"
        if missing
        else f"{counted(len(results), 'target')}, nothing to do"
    )
    print(summary, file=sys.stderr)
    return True


def _painted(text: str, status: str) -> str:
    if not _coloured():
        return text
    return f"\x1b[{2 if status == 'cached' else 1}m{text}\x1b[0m"


def nothing_to_push(arguments: Sequence[str]) -> bool:
    """Answer ``nixgen cache push`` when an equal push was made, and the cache still has its paths.

    :param arguments: the words behind ``nixgen cache push``.
    :returns: whether it was answered.
    """
    parsed = _parse(arguments, _BUILD | {"--to", "--key"}, _WITHOUT_EFFECT)
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
    from nixgen.instant import repeated_push

    project = _last(given, "--project", ".")
    asked = repeated_push.request(
        project=project,
        targets=words,
        outputs=[path for _, _, path in outputs],
        to=to,
        keys=given.get("--key", []),
        base=_last(given, "--base", "debian"),
        environment=given.get("--env", [None])[-1],
    )
    count = repeated_push.everything_there(None if bare else os.path.realpath(project), asked)
    if count is None:
        return False
    print(f"{to} has all {counted(count, 'path')} already")
    return True


def _coloured() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ
