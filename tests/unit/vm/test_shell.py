"""The shell channel, with a real bash as its guest."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.errors import EngineError, TestError
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


def test_a_background_process_cannot_write_into_a_later_answer(ready: Shell) -> None:
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


def test_the_output_before_an_end_is_kept(ready: Shell) -> None:
    with pytest.raises(ShellClosed) as caught:
        # a moment, for the shell to start the other end of the pipe before it is killed
        ready.run("echo last words; sleep 0.5; kill -9 $$", timeout=None)
    assert caught.value.output == b"last words\n"


@pytest.fixture
def silent() -> Iterator[tuple[Shell, socket.socket]]:
    """A shell whose guest is the test."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        yield Shell(ours, "web"), theirs


def mark_of(guest: socket.socket) -> bytes:
    """The random mark of the command that the guest receives."""
    found = re.search(rb"([0-9a-f]{16})\{", guest.recv(1 << 16))
    assert found is not None
    return found[1]


def test_output_that_is_cut_off_is_kept_up_to_whole_bytes(
    silent: tuple[Shell, socket.socket],
) -> None:
    shell, guest = silent

    def end() -> None:
        mark = mark_of(guest)
        guest.sendall(b"noise\r\n" + mark + b"{\r\naGVs\r\nbG8gd29y\r\nbG\n")
        guest.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(ShellClosed) as caught:
        shell.run("x", timeout=None)
    thread.join()
    assert caught.value.output == b"hello wor"


def test_a_guest_that_stops_answering(
    silent: tuple[Shell, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, _ = silent
    monkeypatch.setattr("nixgen.vm.channels.shell._GRACE_SECONDS", 0.05)
    started = time.monotonic()
    with pytest.raises(EngineError) as caught:
        shell.run("x", timeout=0.05)
    assert time.monotonic() - started >= 0.1
    assert caught.value.message == "web stopped answering its shell"
    assert caught.value.hint == (
        "look at the end of its console below; give the command a longer timeout"
    )


def test_a_guest_that_does_not_read(
    silent: tuple[Shell, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, _ = silent
    monkeypatch.setattr("nixgen.vm.channels.shell._GRACE_SECONDS", 0.05)
    with pytest.raises(EngineError) as caught:
        shell.write_file(bytes(10 << 20), "/x")
    assert caught.value.message == "web does not read from its shell"
    assert caught.value.hint == "look at the end of its console below"


def test_a_shell_that_is_closed(silent: tuple[Shell, socket.socket]) -> None:
    shell, guest = silent
    guest.close()
    with pytest.raises(ShellClosed, match="the machine's shell closed") as caught:
        shell.send("x")
    assert caught.value.output == b""
    shell.close()
    with pytest.raises(ShellClosed):
        shell.wait_ready(1)


def test_a_line_that_is_no_greeting_is_skipped(silent: tuple[Shell, socket.socket]) -> None:
    shell, guest = silent
    guest.sendall(b"NIXGEN\nlogin: NIXGEN-SHELL-READY \r\n")
    assert shell.wait_ready(5)
    assert not shell.wait_ready(0)


def test_the_end_of_long_errors_is_kept(ready: Shell) -> None:
    reply = ready.run("printf x >&2; head -c 16384 /dev/zero >&2", timeout=None)
    assert reply.stderr == bytes(16384)


def test_the_watchdog_s_time_is_at_least_a_second(
    silent: tuple[Shell, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, guest = silent
    monkeypatch.setattr("nixgen.vm.channels.shell._GRACE_SECONDS", 0.02)
    with pytest.raises(EngineError):
        shell.run("x", timeout=0.01)
    received = guest.recv(1 << 16)
    assert b"( sleep 1; kill -s TERM -- -$command; sleep 5; kill -s KILL -- -$command )" in received
    assert b"[ $SECONDS -lt 1 ] || status=124" in received


def test_a_command_with_nul_is_refused(ready: Shell) -> None:
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
