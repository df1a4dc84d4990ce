"""The network switch, with real datagram sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nixgen.vm.channels.switch import Link, Switch

BROADCAST = b"\xff" * 6
A, B, C = (bytes([2, 0, 0, 0, 0, n]) for n in (1, 2, 3))


def frame(target: bytes, source: bytes, payload: bytes = b"hi") -> bytes:
    return target + source + b"\x08\x00" + payload


@pytest.fixture
def links() -> Iterator[tuple[Link, Link, Link]]:
    switch = Switch(1)
    connected = (switch.connect("a"), switch.connect("b"), switch.connect("c"))
    for link in connected:
        link.remote.settimeout(5)
    with switch:
        yield connected


def hears_nothing(link: Link) -> bool:
    link.remote.settimeout(0.1)
    try:
        link.remote.recv(2000)
    except TimeoutError:
        return True
    finally:
        link.remote.settimeout(5)
    return False


def test_broadcast_reaches_all_others(links: tuple[Link, Link, Link]) -> None:
    a, b, c = links
    sent = frame(BROADCAST, A, b"x" * 1500)
    a.remote.send(sent)
    assert b.remote.recv(2000) == sent
    assert c.remote.recv(2000) == sent
    assert hears_nothing(a)


def test_a_learned_address_gets_its_frames_alone(links: tuple[Link, Link, Link]) -> None:
    a, b, c = links
    b.remote.send(frame(BROADCAST, B))
    a.remote.recv(2000)
    c.remote.recv(2000)
    a.remote.send(frame(B, A))
    assert b.remote.recv(2000) == frame(B, A)
    assert hears_nothing(c)


@pytest.mark.parametrize("blocked", [0, 1])
def test_an_unplugged_cable_carries_nothing_either_way(
    links: tuple[Link, Link, Link], blocked: int
) -> None:
    a, b, _ = links
    links[blocked].unplug()
    a.remote.send(frame(B, A))
    assert hears_nothing(b)
    links[blocked].plug()
    a.remote.send(frame(B, A, b"again"))
    assert b.remote.recv(2000) == frame(B, A, b"again")


def test_a_full_receiver_or_a_short_frame_does_not_stop_the_switch(
    links: tuple[Link, Link, Link],
) -> None:
    a, b, c = links
    a.remote.send(b"short")
    b.remote.setblocking(False)
    for _ in range(2000):  # b reads none of these
        a.remote.send(frame(B, A))
    c.remote.send(frame(A, C))
    while a.remote.recv(2000) != frame(A, C):
        pass


def test_waiting_frames_can_be_forgotten(links: tuple[Link, Link, Link]) -> None:
    a, b, _ = links
    a.remote.send(frame(BROADCAST, A))
    b.remote.recv(2000)
    a.remote.send(frame(BROADCAST, A))
    links[2].remote.recv(2000)
    links[2].remote.recv(2000)
    b.remote.settimeout(None)
    b.drain()
    assert hears_nothing(b)


def test_a_group_address_is_flooded_even_after_it_was_a_sender(
    links: tuple[Link, Link, Link],
) -> None:
    a, b, c = links
    group = bytes.fromhex("01005e000001")
    b.remote.send(frame(BROADCAST, group))
    a.remote.recv(2000)
    c.remote.recv(2000)
    a.remote.send(frame(group, A))
    assert b.remote.recv(2000) == frame(group, A)
    assert c.remote.recv(2000) == frame(group, A)


def test_cables_have_large_buffers(links: tuple[Link, Link, Link]) -> None:
    for link in links:
        for end in (link.local, link.remote):
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > 100_000


def test_only_the_first_bit_tells_a_group_from_a_card(links: tuple[Link, Link, Link]) -> None:
    a, b, c = links
    card = bytes.fromhex("02ffffffffff")
    b.remote.send(frame(BROADCAST, card))
    a.remote.recv(2000)
    c.remote.recv(2000)
    a.remote.send(frame(card, A))
    assert b.remote.recv(2000) == frame(card, A)
    assert hears_nothing(c)


def test_the_shortest_frame_is_a_header(links: tuple[Link, Link, Link]) -> None:
    a, b, _ = links
    a.remote.send(frame(BROADCAST, A, b"")[:13])
    a.remote.send(frame(BROADCAST, A, b""))
    assert b.remote.recv(2000) == frame(BROADCAST, A, b"")


def test_an_address_that_moves_to_another_cable_is_followed(
    links: tuple[Link, Link, Link],
) -> None:
    a, b, c = links
    for sender in (b, c):
        sender.remote.send(frame(BROADCAST, B))
        a.remote.recv(2000)
    b.remote.recv(2000)
    c.remote.recv(2000)
    a.remote.send(frame(B, A))
    assert c.remote.recv(2000) == frame(B, A)
    assert hears_nothing(b)
