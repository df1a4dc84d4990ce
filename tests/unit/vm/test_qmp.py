"""QEMU's monitor protocol, with the test as QEMU."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from nixgen.errors import EngineError
from nixgen.vm.channels.qmp import Qmp

GREETING = {"QMP": {"version": {}, "capabilities": []}}
DONE: dict[str, Any] = {"return": {}}


@pytest.fixture
def qemu() -> Iterator[socket.socket]:
    """QEMU's end; `client` has the other."""
    ours, theirs = socket.socketpair()
    global client  # noqa: PLW0603 - one per test
    client = Qmp(ours)
    theirs.settimeout(5)
    with theirs:
        yield theirs
    client.close()


client: Qmp


def answers(qemu: socket.socket, *documents: object) -> None:
    """Answers may lie in the socket before they are asked for."""
    qemu.sendall(b"".join(json.dumps(each).encode() + b"\r\n" for each in documents))


def asked(qemu: socket.socket) -> list[Any]:
    return [json.loads(line) for line in qemu.recv(1 << 16).splitlines()]


def test_capabilities_are_negotiated_once(qemu: socket.socket) -> None:
    answers(qemu, GREETING, DONE, {"return": {"status": "running"}})
    assert client.execute("query-status") == {"status": "running"}
    assert asked(qemu) == [
        {"execute": "qmp_capabilities", "arguments": {}},
        {"execute": "query-status", "arguments": {}},
    ]
    answers(qemu, {"return": [1]})
    assert client.execute("screendump", filename="/x", format="png") == [1]
    assert asked(qemu) == [
        {"execute": "screendump", "arguments": {"filename": "/x", "format": "png"}}
    ]


def test_events_before_an_answer_are_skipped(qemu: socket.socket) -> None:
    answers(qemu, GREETING, DONE, {"event": "RESET"}, "text", {"event": "STOP"}, {"return": 7})
    assert client.execute("query") == 7


def test_an_answer_may_come_in_pieces_of_any_size(qemu: socket.socket) -> None:
    answers(qemu, GREETING, DONE, {"return": "x" * 200_000})
    assert client.execute("query") == "x" * 200_000


def test_a_line_for_the_human_monitor(qemu: socket.socket) -> None:
    answers(qemu, GREETING, DONE, {"return": "VM status: running\r\n"})
    assert client.human("info status") == "VM status: running\r\n"
    assert asked(qemu)[1] == {
        "execute": "human-monitor-command",
        "arguments": {"command-line": "info status"},
    }


@pytest.mark.parametrize(
    ("error", "reason"), [({"desc": "no such device"}, "no such device"), ({}, "no reason given")]
)
def test_a_refusal_is_told_with_its_reason(
    qemu: socket.socket, error: dict[str, str], reason: str
) -> None:
    answers(qemu, GREETING, DONE, {"error": error})
    with pytest.raises(EngineError) as caught:
        client.execute("device_add")
    assert caught.value.message == f"QEMU refused device_add: {reason}"
    assert caught.value.hint == "check the command against QEMU's manual"
    answers(qemu, {"return": 1})
    assert client.execute("query") == 1  # the connection still works


def test_an_end_in_the_middle_of_an_answer(qemu: socket.socket) -> None:
    answers(qemu, GREETING, DONE)
    qemu.sendall(b'{"ret')
    qemu.shutdown(socket.SHUT_WR)
    with pytest.raises(EngineError) as caught:
        client.execute("query")
    assert caught.value.message == "QEMU ended while answering the monitor"
    assert caught.value.hint == "the machine is off; start() boots it again"


def test_an_end_before_the_question(qemu: socket.socket) -> None:
    answers(qemu, GREETING)
    qemu.close()
    with pytest.raises(EngineError, match="QEMU ended while answering qmp_capabilities"):
        client.execute("query")


def test_a_monitor_that_is_silent_is_given_up(
    qemu: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client._socket.gettimeout() == 30
    client._socket.settimeout(0.02)
    answers(qemu, GREETING, DONE)
    with pytest.raises(EngineError, match="QEMU ended while answering the monitor"):
        client.execute("query")
