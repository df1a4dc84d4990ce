"""The typer application. Verbs are imported when they are used; errors are caught only here."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

import typer

from nixgen.cli import streams
from nixgen.cli.lazy import lazy_group
from nixgen.cli.options import HELP_OPTIONS, examples
from nixgen.errors import NixgenError, UsageError, closest_word

__all__ = ["VERBS", "run"]

#: The verbs. Each is a module of this package that defines `app`.
VERBS = (
    "init",
    "list",
    "generate",
    "build",
    "cache",
    "secret",
    "image",
    "k8s",
    "test",
    "shell",
    "inputs",
    "descriptor",
    "fmt",
    "doctor",
    "completion",
)


# Newer versions of typer have a click of their own, so the exception is taken from typer's exports.
_ClickException: Any = typer.BadParameter.__mro__[2]


def _version(value: bool) -> None:
    if value:
        from nixgen import __version__

        typer.echo(f"nixgen {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=lazy_group("nixgen.cli", VERBS),
    no_args_is_help=True,
    add_completion=False,  # see nixgen/cli/completion.py
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_OPTIONS,
    epilog=examples("nixgen init hello", "nixgen build machines.web", "nixgen help cache push"),
)


@app.callback()
def nixgen(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """One typed Python description of a platform, compiled to Nix, built, cached, containerised and booted."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line.

    :param arguments: the words behind ``nixgen``.
    :returns: the exit status: 0 done, 1 failed or different, 2 wrong input, 3 something outside is
        missing.
    """
    # SIGTERM, which systemd and CI runners send, ends children and removes temporary files like Ctrl-C
    interruption = _Interruption()
    signal.signal(signal.SIGTERM, interruption)
    signal.signal(signal.SIGINT, interruption)
    try:
        return _status(arguments)
    finally:
        # Python puts the system's handler back while it ends. Ctrl-C would then change the status of
        # work that is done.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _status(arguments: Sequence[str]) -> int:
    try:
        return _command_status(arguments)
    except BrokenPipeError:
        # the reader of our output left, as `head` does; say nothing, but do not claim success
        return streams.finish(1)
    except OSError:
        if streams.stdout_is_broken():
            return streams.finish(0)
        raise


def _command_status(arguments: Sequence[str]) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    as_json = "--json" in own
    try:
        result = typer.main.get_command(app).main(
            args=list(arguments), prog_name="nixgen", standalone_mode=False
        )
    except _ClickException as error:
        return _report(_usage_error(error), own, as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):
        return streams.print_interrupted()
    except NixgenError as error:
        if debug:
            import traceback

            traceback.print_exception(error)
        return _report(error, own, as_json=as_json)
    if result == streams.INTERRUPTED:  # newer versions of typer catch Ctrl-C themselves
        return streams.print_interrupted()
    return result if isinstance(result, int) else 0


def _report(error: NixgenError, arguments: Sequence[str], *, as_json: bool) -> int:
    from nixgen.cli.console import report_error

    report_error(error, as_json=as_json, folder=_project_folder(arguments))
    return error.exit_status


def _project_folder(arguments: Sequence[str]) -> str:
    """The folder that places in error messages are relative to: the value of ``--project``."""
    folder = "."
    for word, following in zip(arguments, [*arguments[1:], "."], strict=True):
        if word == "--project":
            folder = following
        elif word.startswith("--project="):
            folder = word.partition("=")[2]
    return folder


def _usage_error(error: Any) -> UsageError:
    """The error of nixgen for one of click: its message, and what can be typed instead."""
    message = str(error.format_message()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return UsageError(message, hint="`nixgen --help` names the verbs")
    hint = f"`{context.command_path} --help` says what can be given"
    verbs = context.command.list_commands(context) if _is_group(context.command) else ()
    if message.startswith("Missing command"):
        return UsageError(f"{message}: one of {', '.join(verbs)}", hint=hint)
    _, quoted, name = message.partition("No such command ")
    if quoted:
        name = name.split("'")[1]
        message = f"No such command '{name}'"
        close = closest_word(name, verbs)
        if close is not None:
            hint = f"did you mean: {context.command_path} {close}"
    return UsageError(message, hint=hint)


def _is_group(command: Any) -> bool:
    return hasattr(command, "list_commands")


class _Interruption:
    """A handler of signals.

    The first signal interrupts the work, which then cleans up. The second only prints a line, and
    the third interrupts the cleaning up.
    """

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, _signal: int, _frame: object) -> None:
        self._count += 1
        if self._count == 2:
            os.write(2, b"cleaning up; once more to leave everything as it is\n")
        else:
            raise KeyboardInterrupt
