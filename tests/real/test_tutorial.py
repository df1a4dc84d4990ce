"""Every command of docs/tutorial.md runs, in order, and prints the lines of the page.

One session of bash runs the whole page in a temporary folder, with free ports instead of its own.
Each test waits for one section, and compares its output.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import frozen
from transcript import Command, File, first_difference, steps

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.engine, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
#: Ports of this computer that the page uses. Those inside its virtual machine need not be free here.
PORTS = ("8040", "8080")

#: Seconds after which a section counts as hanging, on the slowest computer.
_HANGS = 1500

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
echo $previous >{step}.part && mv {step}.part {step}.status
"""


SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
TITLES = [section.partition("\n")[0] for section in SECTIONS if "```console" in section]


@frozen
class Session:
    """The running page.

    :param page: the steps of all sections.
    :param sections: title → the numbers of its steps.
    :param project: the folder of the tutorial's project.
    :param results: of step N the files N.out, N.err and N.status.
    """

    page: Sequence[Command | File]
    sections: Mapping[str, range]
    project: Path
    results: Path
    shell: subprocess.Popen[bytes]

    def wait_for(self, number: int) -> None:
        """Wait until a command has ended, or the session."""
        status = self.results / f"{number}.status"
        ends = time.monotonic() + _HANGS
        while not status.exists() and self.shell.poll() is None:
            assert time.monotonic() < ends, "a command of this section hangs"
            time.sleep(0.1)
        assert status.exists(), "an earlier command of the page failed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    top = tmp_path_factory.mktemp("tutorial")
    yield top
    for directory, _, _ in os.walk(top):
        Path(directory).chmod(0o700)  # store paths are read-only
    shutil.rmtree(top)


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[Session]:
    """The page, started; its processes end with the last test."""
    ports = free_ports()
    page, sections = list[Command | File](), dict[str, range]()
    for section in SECTIONS:
        first = len(page)
        page += steps(with_ports(section, ports))
        sections[section.partition("\n")[0]] = range(first, len(page))
    results = folder / "results"
    results.mkdir()
    script = folder / "script"
    script.write_text(script_of(page, folder / "hello", results))
    shell = subprocess.Popen(
        ["bash", script],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Session(page, sections, folder / "hello", results, shell)
    finally:
        for process in processes_of(shell.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        shell.wait()


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


@pytest.mark.parametrize("title", TITLES)
def test_the_commands_of_a_section_print_its_lines(session: Session, title: str) -> None:
    numbers = session.sections[title]
    last = max(number for number in numbers if isinstance(session.page[number], Command))
    session.wait_for(last)  # jobs in the background end before it, and have printed everything
    for number in numbers:
        match session.page[number]:
            case File(language="nix", path=path, text=text):
                assert text in (session.project / path).read_text()
            case Command(line=line, output=shown):
                out, err, status = (
                    (session.results / f"{number}.{name}").read_text()
                    for name in ("out", "err", "status")
                )
                difference = first_difference(shown, out.splitlines(), err.splitlines())
                assert difference is None, f"$ {line}\n{out}{err}\nhas no line\n{difference}"
                failed = status != "0\n" and not shows_status(session.page, number)
                assert not failed, f"$ {line}\n{err}{status}"


def free_ports() -> Mapping[str, str]:
    """The ports of the page, each with one that is free on this computer."""
    with socket.socket() as first, socket.socket() as second:
        for held in (first, second):
            held.bind(("127.0.0.1", 0))
        numbers = [str(held.getsockname()[1]) for held in (first, second)]
    return dict(zip(PORTS, numbers, strict=True))


def with_ports(text: str, ports: Mapping[str, str]) -> str:
    return re.sub("|".join(ports), lambda found: ports[found[0]], text)


def shows_status(page: Sequence[Command | File], number: int) -> bool:
    """Whether a command may fail, because the next one shows its exit status."""
    return [each for each in page[number + 1 : number + 2] if isinstance(each, Command)][:1] == [
        Command("echo $?", ("2",))
    ]


def script_of(page: Sequence[Command | File], project: Path, results: Path) -> str:
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
                target = shlex.quote(str(project / path))
                parts.append(f"install -D {shlex.quote(str(content))} {target}\n")
            case Command(line=line):
                parts.append(_COMMAND.format(line=line, step=results / str(number)))
                if not shows_status(page, number):
                    parts.append("[ $previous = 0 ] || exit 0\n")
    return "".join(parts)


def processes_of(session_id: int) -> Iterator[int]:
    for each in Path("/proc").iterdir():
        with suppress(ValueError, ProcessLookupError, PermissionError):
            if os.getsid(int(each.name)) == session_id:
                yield int(each.name)
