"""A client of the QEMU Machine Protocol, which controls a running QEMU.

Source: docs/interop/qmp-spec in QEMU's manual.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

from nixgen.errors import EngineError

__all__ = ["Qmp"]

_TIMEOUT_SECONDS = 30.0


class Qmp:
    """A connection to one QEMU. Its events are skipped.

    :param connection: an open stream socket, whose other end QEMU inherits.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(_TIMEOUT_SECONDS)
        self._buffer = b""
        self._lock = threading.Lock()
        self._negotiated = False

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command.

        :param command: of the protocol, such as ``query-status``.
        :param arguments: of the command.
        :returns: the ``return`` value of the answer.
        :raises EngineError: QEMU refused the command, or ended.
        """
        with self._lock:
            if not self._negotiated:
                self._receive()  # the greeting
                self._call("qmp_capabilities", {})
                self._negotiated = True
            return self._call(command, arguments)

    def human(self, line: str) -> str:
        """Run a command of QEMU's human monitor.

        :param line: as a person types it.
        :returns: the text that the monitor prints.
        """
        return str(self.execute("human-monitor-command", **{"command-line": line}))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _call(self, command: str, arguments: dict[str, object]) -> Any:
        message = {"execute": command, "arguments": arguments}
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise _gone(command) from error
        while True:
            answer = self._receive()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise EngineError(
                    f"QEMU refused {command}: {answer['error'].get('desc', 'no reason given')}",
                    hint="check the command against QEMU's manual",
                )

    def _receive(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            try:
                chunk = self._socket.recv(1 << 16)
            except OSError as error:
                raise _gone("the monitor") from error
            if not chunk:
                raise _gone("the monitor")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else {}


def _gone(what: str) -> EngineError:
    return EngineError(
        f"QEMU ended while answering {what}", hint="the machine is off; start() boots it again"
    )
