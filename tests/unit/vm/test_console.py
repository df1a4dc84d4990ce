"""The serial console: lines as a person reads them, and waiting for text on it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from nixgen.vm.channels.console import Console

Ends = tuple[Console, socket.socket, list[str]]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    lines: list[str] = []
    console = Console(ours, lines.append)
    with theirs:
        yield console, theirs, lines
    console.close()


def test_colours_and_carriage_returns_are_left_out(ends: Ends) -> None:
    console, guest, lines = ends
    guest.sendall(b"\x1b[0;32m  OK  \x1b[0m done\r\n\x1bM\x1b[2Jrest \xff\xc3\xa4 \t\n\n")
    guest.sendall(b"last\n")
    assert console.wait("last", 20)
    assert lines == ["  OK   done", "rest \ufffd\u00e4", "", "last"]
    assert console.tail() == tuple(lines)


def test_a_line_may_come_in_pieces_and_the_last_may_lack_its_end(ends: Ends) -> None:
    console, guest, lines = ends
    guest.sendall(b"one ")
    guest.sendall(b"line\ntwo\nunfin")
    guest.sendall(b"ished")
    guest.shutdown(socket.SHUT_WR)
    assert console.wait("unfinished", 20)
    assert lines == ["one line", "two", "unfinished"]


def test_the_tail_is_the_last_lines(ends: Ends) -> None:
    console, guest, _ = ends
    guest.sendall("".join(f"{number}\n" for number in range(100)).encode())
    assert console.wait("99", 20)
    assert console.tail(2) == ("98", "99")
    assert console.tail() == tuple(str(number) for number in range(40, 100))


def test_text_is_found_once_and_up_to_the_end_of_its_line(ends: Ends) -> None:
    console, guest, _ = ends
    guest.sendall(b"a\nready and b\nc ready\nd\n")
    assert console.wait("a\nready", 20)  # a pattern may span lines
    assert not console.wait("and b", 0.02)  # the rest of that line is consumed
    assert console.wait("ready", 20)
    assert not console.wait("ready", 0.02)
    assert console.wait("^d$", 20)


def test_a_wait_ends_when_the_text_comes(ends: Ends) -> None:
    console, guest, _ = ends
    timer = threading.Timer(0.05, guest.sendall, [b"late\n"])
    timer.start()
    started = time.monotonic()
    assert console.wait("late", None)
    assert 0.03 < time.monotonic() - started < 20
    timer.join()


def test_a_wait_without_end_ends_with_the_machine(ends: Ends) -> None:
    console, guest, _ = ends
    guest.sendall(b"almost\n")
    guest.shutdown(socket.SHUT_WR)
    assert not console.wait("never", None)
    assert console.wait("almost", None)


def test_a_timeout_is_kept(ends: Ends) -> None:
    console, _, _ = ends
    started = time.monotonic()
    assert not console.wait("never", 0.1)
    assert time.monotonic() - started >= 0.1
    assert not console.wait("never", 0)


def test_typed_text_arrives_as_utf_8(ends: Ends) -> None:
    console, guest, _ = ends
    console.send("root\u00e4\n")
    assert guest.recv(100) == "root\u00e4\n".encode()
