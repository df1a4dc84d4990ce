"""A virtual network switch in one thread. It needs no root and no ports of the host.

Each network card is one end of an ``AF_UNIX`` datagram pair; QEMU writes one Ethernet frame per
datagram (``-netdev dgram``). The switch learns source addresses, and forwards or floods frames as
bridges of IEEE 802.1D do. It has no spanning tree, because the network is a star.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

__all__ = ["Link", "Switch"]

_FRAME = 1 << 16
_BUFFER = 1 << 20


class Link:
    """A cable between a machine and a switch.

    :param node: name of the machine. QEMU inherits the end ``remote``.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.plugged = True
        self.remote, self.local = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.local.setblocking(False)
        for end in (self.local, self.remote):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)

    def unplug(self) -> None:
        """Stop all frames, in both directions."""
        self.plugged = False

    def plug(self) -> None:
        """Undo `unplug`."""
        self.plugged = True

    def drain(self) -> None:
        """Drop the frames that wait for a machine, before it starts again."""
        with contextlib.suppress(BlockingIOError):
            while self.remote.recv(_FRAME, socket.MSG_DONTWAIT):
                pass

    def close(self) -> None:
        """Close both ends."""
        self.local.close()
        self.remote.close()


class Switch:
    """The switch of one vlan. It runs as long as its ``with`` block.

    :param vlan: number of the network.
    """

    def __init__(self, vlan: int) -> None:
        self.vlan = vlan
        self._links: list[Link] = []
        self._addresses: dict[bytes, Link] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=f"vlan{vlan}", daemon=True)

    def connect(self, node: str) -> Link:
        """Connect a machine. To be called before the ``with`` block begins.

        :param node: name of the machine.
        """
        link = Link(node)
        self._links.append(link)
        self._selector.register(link.local, selectors.EVENT_READ, link)
        return link

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        self._selector.close()
        for link in self._links:
            link.close()
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                # A machine that crashed or has not started yet refuses frames.
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    self._forward(key.data, key.data.local.recv(_FRAME))

    def _forward(self, source: Link, frame: bytes) -> None:
        if len(frame) < 14 or not source.plugged:
            return
        target, sender = frame[:6], frame[6:12]
        self._addresses[sender] = source
        known = self._addresses.get(target)
        group_address = target[0] & 1
        links = self._links if known is None or group_address else [known]
        for link in links:
            if link is not source and link.plugged:
                # A full receiver drops frames, as Ethernet may.
                with contextlib.suppress(OSError):
                    link.local.send(frame)
