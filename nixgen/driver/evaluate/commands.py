"""Command lines of Nix that evaluate the targets of a generated tree, by the Nix files beside this one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from nixgen.driver.commands.nix import NixOptions
from nixgen.programs.command import Command

__all__ = ["MOST_TARGETS", "evaluate_jobs", "report_targets"]

MOST_TARGETS = 1000
"""The most targets of one command: the kernel allows 128 KiB for each word of a command line."""

_FOLDER = Path(__file__).parent


def report_targets(
    options: NixOptions,
    *,
    file: Path,
    arguments: str,
    attrs: Iterable[str],
    token: str,
    variables: Mapping[str, str],
) -> Command:
    """Evaluate targets one after the other, up to the first that is wrong.

    Each begin and end of a target is a line ``trace: TOKEN …`` on standard error; ``report.nix``
    describes them.

    :param options: the settings of Nix.
    :param file: the ``default.nix`` of the tree.
    :param arguments: the arguments of its function, as JSON.
    :param attrs: at most `MOST_TARGETS` targets.
    :param token: a word that no other trace contains.
    :param variables: additions to the environment.
    """
    return Command(
        argv=(
            "nix-instantiate",
            "--eval",
            "--strict",
            "--read-write-mode",
            *options.arguments,
            # costs nothing as long as nothing is wrong
            "--show-trace",
            *_function_call("report.nix", file, arguments, attrs),
            "--argstr",
            "token",
            token,
        ),
        env=variables,
    )


def evaluate_jobs(
    options: NixOptions,
    *,
    file: Path,
    arguments: str,
    attrs: Iterable[str],
    workers: int,
    memory: int,
    variables: Mapping[str, str],
) -> Command:
    """Evaluate targets by nix-eval-jobs, which prints a line of JSON for each on standard output.

    :param options: the settings of Nix.
    :param file: the ``default.nix`` of the tree.
    :param arguments: the arguments of its function, as JSON.
    :param attrs: at most `MOST_TARGETS` targets.
    :param workers: evaluations at a time.
    :param memory: bytes that a worker may hold between two targets.
    :param variables: additions to the environment.
    """
    return Command(
        argv=(
            "nix-eval-jobs",
            *options.arguments,
            "--show-trace",
            "--workers",
            str(workers),
            "--max-memory-size",
            str(max(1, memory >> 20)),
            *_function_call("jobs.nix", file, arguments, attrs),
        ),
        env=variables,
    )


def _function_call(
    expression: str, file: Path, arguments: str, attrs: Iterable[str]
) -> tuple[str, ...]:
    return (
        str(_FOLDER / expression),
        "--argstr",
        "file",
        str(file.absolute()),
        "--argstr",
        "arguments",
        arguments,
        "--argstr",
        "attrs",
        json.dumps(list(attrs), ensure_ascii=False),
    )
