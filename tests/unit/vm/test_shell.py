"""The command channel against a real bash."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.errors import TestError
from nixgen.vm.channels.shell import Shell, ShellClosed

GREETING = "echo booting; echo NIXGEN-SHELL-READY; exec bash --norc"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            ["bash", "-c", GREETING],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    try:
        yield Shell(ours, "guest")
    finally:
        ours.close()
        child.kill()
        child.wait()


@pytest.fixture
def ready(shell: Shell) -> Shell:
    assert shell.wait_ready(10)
    return shell


@pytest.mark.parametrize("timeout", [None, 30])
@pytest.mark.parametrize(
    ("command", "status", "output"),
    [
        ("true", 0, b""),
        ("exit 3", 3, b""),
        ("printf 'no newline'", 0, b"no newline"),
        ("printf 'a\\0b\\xff\\n\\n'", 0, b"a\0b\xff\n\n"),
        ("echo one\necho 'two  \"$x\"'", 0, b'one\ntwo  "$x"\n'),
        ("echo 'it'\"'\"'s'", 0, b"it's\n"),
        ("false; echo unreached", 1, b""),
        ("false | true", 1, b""),
        ("echo $undefined_variable", None, b""),
        ("cat", 0, b""),
        ("if", None, b""),
        ("cat <<X\nhere $((1+1))\nX", 0, b"here 2\n"),
        # named, for pytest puts the name of a test into the environment
        pytest.param("head -c 300000 /dev/zero", 0, b"\0" * 300_000, id="large"),
    ],
)
def test_status_and_output(
    ready: Shell, command: str, status: int | None, output: bytes, timeout: float | None
) -> None:
    reply = ready.run(command, timeout=timeout)
    assert reply.stdout == output
    assert reply.status == status if status is not None else reply.status != 0
    assert ready.run("echo next", timeout=timeout).stdout == b"next\n"


def test_errors_are_apart_and_do_not_leak_into_the_next(ready: Shell) -> None:
    reply = ready.run("echo out; echo err >&2", timeout=None)
    assert (reply.stdout, reply.stderr) == (b"out\n", b"err\n")
    assert ready.run("true", timeout=None).stderr == b""


def test_a_daemon_outlives_its_command_but_not_the_shell(ready: Shell, tmp_path: Path) -> None:
    ready.run(f"sleep 20 >&2 & echo $! >{tmp_path}/pid", timeout=5)
    pid = int((tmp_path / "pid").read_text())
    assert Path("/proc", str(pid)).exists()
    assert ready.run(f"kill {pid}", timeout=5).status == 0


def test_variables_of_a_command_do_not_survive_it(ready: Shell) -> None:
    ready.run("kept=1; cd /", timeout=None)
    assert ready.run("echo ${kept-gone}", timeout=None).stdout == b"gone\n"


@pytest.mark.parametrize(
    "command", ["echo before; sleep 30", "echo before; bash -c 'sleep 30; :' | cat; :"]
)
def test_a_timeout_ends_the_command_and_its_children(ready: Shell, command: str) -> None:
    started = time.monotonic()
    reply = ready.run(command, timeout=1)
    assert (reply.status, reply.stdout, reply.stderr) == (124, b"before\n", b"")
    assert time.monotonic() - started < 10
    assert ready.run("echo after", timeout=5).stdout == b"after\n"


def test_what_a_command_leaves_behind_cannot_chatter_into_answers(ready: Shell) -> None:
    ready.send("(sleep 0.1; echo chatter; echo chatter >&2) &")
    assert ready.run("(sleep 0.1; echo more >&2) & sleep 0.3; echo answer", timeout=5).stdout == (
        b"answer\n"
    )
    assert ready.run("echo next", timeout=5).stdout == b"next\n"


def test_files_arrive_byte_for_byte(ready: Shell, tmp_path: Path) -> None:
    content = bytes(range(256)) * 2000 + b"\necho not a command\n"
    target = tmp_path / "it's here"
    assert ready.write_file(content, str(target)).status == 0
    assert target.read_bytes() == content
    assert ready.write_file(b"", str(target)).status == 0
    assert target.read_bytes() == b""


def test_bytes_that_cannot_be_written_are_not_run(ready: Shell, tmp_path: Path) -> None:
    content = f"\ntouch {tmp_path}/executed\n".encode() * 3000
    reply = ready.write_file(content, str(tmp_path / "absent" / "file"))
    assert reply.status != 0
    assert b"absent" in reply.stderr
    assert ready.run("echo alive", timeout=5).stdout == b"alive\n"
    assert not (tmp_path / "executed").exists()


def test_an_end_in_the_middle_keeps_what_came(ready: Shell) -> None:
    with pytest.raises(ShellClosed) as caught:
        # a moment, for the shell to start the other end of the pipe before it is killed
        ready.run("echo last words; sleep 0.5; kill -9 $$", timeout=None)
    assert caught.value.output == b"last words\n"


def test_nul_is_the_script_s_fault(ready: Shell) -> None:
    with pytest.raises(TestError, match="NUL"):
        ready.run("echo \0", timeout=None)


def test_a_guest_that_never_greets(shell: Shell) -> None:
    assert shell.wait_ready(10)
    assert not shell.wait_ready(0.2)


def test_threads_take_turns(ready: Shell) -> None:
    answers: list[bytes] = []

    def ask(number: int) -> None:
        answers.append(ready.run(f"echo {number}", timeout=10).stdout)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [f"{number}\n".encode() for number in range(8)]
