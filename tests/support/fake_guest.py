"""A guest whose shell answers from a table, and which records what it is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nixgen.vm.channels.shell import Reply, ShellClosed

Answer = Reply | str | int | None
"""Output of a command that succeeds, or its exit status; None: the machine ends."""


def _reply(answer: Answer) -> Reply:
    if answer is None:
        raise ShellClosed(b"last words")
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str):
        return Reply(status=0, stdout=answer.encode())
    return Reply(status=answer, stdout=b"")


class FakeGuest:
    """Its `shell`, `monitor` and `console` are the guest itself.

    :param answers: for each command its answers, one after another; the last one stays.
    """

    def __init__(self, name: str = "web", **answers: list[Answer]) -> None:
        self.name = name
        self.answers: dict[str, list[Answer]] = dict(answers)
        self.default: Callable[[str], Answer] = lambda _: ""
        self.calls: list[tuple[Any, ...]] = []
        self.running = True
        self.connected = True
        self.pid = 7
        self.shell: Any = self
        self.monitor: Any = self
        self.console: Any = self

    # shell

    def run(self, command: str, *, timeout: float | None) -> Reply:
        self.calls.append(("run", command, timeout))
        if (waiting := self.answers.get(command)) is None:
            return _reply(self.default(command))
        return _reply(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    def send(self, text: str) -> None:
        self.calls.append(("send", text))

    def write_file(self, content: bytes, target: str) -> Reply:
        self.calls.append(("write", content, target))
        return _reply(self.default(target))

    # monitor

    def human(self, line: str) -> str:
        self.calls.append(("human", line))
        return f"ran {line}"

    def execute(self, command: str, **arguments: object) -> None:
        self.calls.append(("execute", command, arguments))

    # console

    def wait(self, pattern: str, timeout: float | None) -> bool:
        self.calls.append(("wait", pattern, timeout))
        return pattern != "never"

    def console_tail(self) -> tuple[str, ...]:
        return ("the console's end",)

    # power

    def start(self, *, allow_reboot: bool = False) -> None:
        self.calls.append(("start", allow_reboot))
        self.running = True

    def connect(self) -> None:
        self.calls.append(("connect",))
        self.running = self.connected = True

    def disconnect(self) -> None:
        self.calls.append(("disconnect",))
        self.connected = False

    def wait_exit(self, timeout: float | None) -> bool:
        self.calls.append(("wait_exit", timeout))
        self.running = self.connected = False
        return True

    def power_off(self) -> None:
        self.calls.append(("power_off",))
        self.running = self.connected = False

    @property
    def commands(self) -> list[str]:
        """The commands that were run."""
        return [call[1] for call in self.calls if call[0] == "run"]
