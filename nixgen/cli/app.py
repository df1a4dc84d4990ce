"""The typer application: verbs are imported when they are used, errors are caught here and nowhere else."""

from __future__ import annotations

import difflib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import typer

from nixgen.cli.lazy import lazy_group
from nixgen.errors import NixgenError

__all__ = ["VERBS", "run"]

#: Each is a module of this package with an `app`.
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
)


_INTERRUPTED = 130

# newer versions of typer carry a click of their own, so the exception is taken from what typer exports
_ClickException: Any = typer.BadParameter.__mro__[2]


def _version(value: bool) -> None:
    if value:
        from nixgen import __version__

        typer.echo(f"nixgen {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=lazy_group("nixgen.cli", VERBS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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
    """Run a command line; its exit status: 0 done, 1 failed or different, 2 wrong input, 3 something outside."""
    # SIGTERM, as from systemd or a CI runner, ends children and removes temporary things as Ctrl-C does
    interruption = _Interruption()
    signal.signal(signal.SIGTERM, interruption)
    signal.signal(signal.SIGINT, interruption)
    try:
        return _status(arguments)
    finally:
        # While Python ends it would put the system's own handler back, and Ctrl-C would end what is done already.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _status(arguments: Sequence[str]) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    as_json = "--json" in own
    try:
        result = typer.main.get_command(app).main(
            args=list(arguments), prog_name="nixgen", standalone_mode=False
        )
    except _ClickException as error:
        error.show()
        close = difflib.get_close_matches(arguments[0], VERBS, n=1)
        if arguments[0] not in VERBS and close:
            print(f"Did you mean: nixgen {close[0]}", file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except NixgenError as error:
        if debug:
            import traceback

            traceback.print_exception(error)
        from nixgen.cli.console import report_error

        report_error(error, as_json=as_json)
        return error.exit_status
    except BrokenPipeError:
        # the reader of our output left, as `head` does; say nothing, but do not claim success
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if result == _INTERRUPTED:  # newer versions of typer catch Ctrl-C themselves
        return _interrupted()
    return result if isinstance(result, int) else 0


class _Interruption:
    """The first signal interrupts; the second would break the cleaning up that follows, and is only answered."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, _signal: int, _frame: object) -> None:
        self._count += 1
        if self._count == 2:
            os.write(2, b"cleaning up; once more to leave everything as it is\n")
        else:
            raise KeyboardInterrupt


def _interrupted() -> int:
    import sys

    print(
        "interrupted; everything finished so far is kept, run the command again to go on",
        file=sys.stderr,
    )
    return _INTERRUPTED
