"""docs/tutorial.md does what it says: each command runs, in order, and prints the lines of the page.

The page is run as one session of bash in a temporary folder, with free ports instead of its own.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from transcript import Command, File, first_difference, steps

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.engine, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
#: Ports of this computer that the page uses. Those inside its virtual machine need not be free here.
PORTS = ("8040", "8080")
#: Seconds until a session that hangs is ended, which fails the test.
DEADLINE = 1500

_PROLOGUE = """\
set -m  # jobs have numbers, as in a terminal
trap 'jobs -p | xargs --no-run-if-empty kill; wait' EXIT
previous=0
"""
_COMMAND = """\
{{ (exit $previous)
{line}
}} >{step}.out 2>{step}.err </dev/null
previous=$?
echo $previous >{step}.status
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for directory, _, _ in os.walk(tmp_path):
        Path(directory).chmod(0o700)  # store paths are read-only
    shutil.rmtree(tmp_path)


@pytest.fixture
def environment(folder: Path) -> Mapping[str, str]:
    """The reader's environment: nixgen on PATH, and a name for commits."""
    nixgen = folder / "bin/nixgen"
    nixgen.parent.mkdir()
    program = shlex.join([sys.executable, "-c", "from nixgen.cli.entry import main; main()"])
    nixgen.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    nixgen.chmod(0o755)
    names = [
        f"GIT_{role}_{field}" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")
    ]
    return {
        **os.environ,
        **dict.fromkeys(names, "reader"),
        "PATH": f"{nixgen.parent}:{os.environ['PATH']}",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
    }


def test_every_command_of_the_tutorial_prints_its_lines(
    folder: Path, environment: Mapping[str, str]
) -> None:
    page = list(steps(with_free_ports(PAGE.read_text())))
    results = folder / "results"
    results.mkdir()
    script = folder / "script"
    script.write_text(session(page, folder / "hello", results))
    run(script, environment)
    for number, step in enumerate(page):
        match step:
            case File(language="nix", path=path, text=text):
                assert text in (folder / "hello" / path).read_text()
            case Command(line=line, output=shown):
                out, err, status = (
                    (results / f"{number}.{name}").read_text() for name in ("out", "err", "status")
                )
                difference = first_difference(shown, out.splitlines(), err.splitlines())
                assert difference is None, f"$ {line}\n{out}{err}\nhas no line\n{difference}"
                assert status == "0\n" or shows_status(page, number), f"$ {line}\n{err}{status}"


def with_free_ports(page: str) -> str:
    with socket.socket() as first, socket.socket() as second:
        for held, port in zip((first, second), PORTS, strict=True):
            held.bind(("127.0.0.1", 0))
            page = page.replace(port, str(held.getsockname()[1]))
    return page


def shows_status(page: Sequence[Command | File], number: int) -> bool:
    """Whether a command may fail, because the next one shows its exit status."""
    return [each for each in page[number + 1 : number + 2] if isinstance(each, Command)][:1] == [
        Command("echo $?", ("2",))
    ]


def session(page: Sequence[Command | File], project: Path, results: Path) -> str:
    """A script of bash that does what the reader does, and ends at the first command that fails.

    Of step N, ``results`` has standard output, standard error and the exit status: N.out, N.err
    and N.status.
    """
    parts = [_PROLOGUE, f"cd {shlex.quote(str(project.parent))}\n"]
    for number, step in enumerate(page):
        match step:
            case File(language="python", path=path, text=text):
                # a comment of its own makes this project new to the store, so that it is built
                content = results / f"{number}.file"
                content.write_text(f"{text}\n# {secrets.token_hex(8)}\n")
                parts.append(f"install -D {content} {project / path}\n")
            case Command(line=line):
                parts.append(_COMMAND.format(line=line, step=results / str(number)))
                if not shows_status(page, number):
                    parts.append("[ $previous = 0 ] || exit 0\n")
    return "".join(parts)


def run(script: Path, environment: Mapping[str, str]) -> None:
    shell = subprocess.Popen(
        ["bash", script], env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        shell.wait(DEADLINE)
    finally:
        for process in processes_of(shell.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        shell.wait()


def processes_of(session_id: int) -> Iterator[int]:
    for each in Path("/proc").iterdir():
        with suppress(ValueError, ProcessLookupError, PermissionError):
            if os.getsid(int(each.name)) == session_id:
                yield int(each.name)
