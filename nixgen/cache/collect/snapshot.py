"""What a cache holds, read once for a collection: roots, pins, leases, every object, and what every narinfo says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.format.names import NARINFO, object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.keep.leases import LEASES, LeaseRecord
from nixgen.cache.keep.roots import PINS, ROOTS, Pin, Root
from nixgen.errors import VerifyError
from nixgen.store.path import path_digest

__all__ = [
    "REALISATIONS",
    "CorruptNarinfo",
    "Generation",
    "Node",
    "Snapshot",
    "parse_node",
    "read_snapshot",
]

REALISATIONS = ("realisations/", "build-trace-v2/")
_URL = re.compile(r"^URL: (\S+)\n", re.MULTILINE)
_REFERENCES = re.compile(r"^References: (.*)\n", re.MULTILINE)
#: Behind the end of a lease, after which its document goes: its push must have noticed by then.
_LEASE_REMAINS = timedelta(hours=1)


@frozen(kw_only=True)
class Node:
    """What a collection needs to know of a narinfo; a cache has many, so no more than that.

    :param store_path: full path.
    :param url: the name of its NAR in the cache.
    :param references: hash parts, without its own.
    :param deriver: base name of the derivation.
    """

    store_path: str
    url: str
    references: frozenset[str] = frozenset()
    deriver: str | None = None


@frozen(kw_only=True)
class CorruptNarinfo:
    """A narinfo that Nix would refuse. What is legible of it is kept: `nixgen cache repair` may need it.

    :param reason: one sentence.
    :param url: None when illegible; it may then name any NAR.
    :param references: hash parts.
    """

    name: str
    reason: str
    url: str | None
    references: frozenset[str]


@frozen(kw_only=True)
class Generation:
    """A root, when the server got it, and the bytes of its document."""

    root: Root
    written: datetime
    size: int = 0


@frozen(kw_only=True)
class Snapshot:
    """The cache at about ``now``: whoever published something that is not in it had a lease then, or has one since.

    :param now: by the server's clock, before anything was read.
    :param leases: those that held at ``now``.
    :param lapsed: names of leases that ended long ago.
    :param objects: by name, without those below ``nixgen/``.
    :param nodes: of every narinfo that can be read, by hash part.
    :param realisations: the hash part that each object of `REALISATIONS` names; None when it cannot be told.
    """

    now: datetime
    leases: tuple[LeaseRecord, ...] = ()
    lapsed: tuple[str, ...] = ()
    generations: tuple[Generation, ...] = ()
    pins: tuple[Pin, ...] = ()
    objects: Mapping[str, ObjectInfo] = field(factory=dict)
    nodes: Mapping[str, Node] = field(factory=dict)
    corrupt: tuple[CorruptNarinfo, ...] = ()
    realisations: Mapping[str, str | None] = field(factory=dict)

    def reachable(self, starts: Iterable[str]) -> frozenset[str]:
        """The hash parts of ``starts`` that have a narinfo, and of all that they refer to."""
        found: set[str] = set()
        todo = [part for part in starts if part in self.nodes]
        while todo:
            part = todo.pop()
            if part not in found:
                found.add(part)
                todo.extend(self.nodes[part].references & self.nodes.keys())
        return frozenset(found)


def read_snapshot(bucket: Bucket, tick: Callable[[], None] = lambda: None) -> Snapshot:
    """Read everything. One request for a thousand objects, and one for each narinfo, realisation, root, pin and lease.

    :param tick: is called now and then, for a lock that has to be renewed.
    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    """
    now = bucket.clock()
    # A push records its root and then gives up its lease: roots must be read after leases, and objects after both.
    leases, lapsed = _leases(bucket, now)
    generations = _generations(bucket)
    pins = tuple(
        Pin.parse(data, source=name)
        for name, data in bucket.read_many(list(bucket.names(PINS)))
        if data is not None
    )
    objects = {}
    for found in bucket.objects():
        tick()
        if not found.name.startswith("nixgen/"):
            objects[found.name] = found
    nodes, corrupt = _nodes(bucket, filter(NARINFO.fullmatch, objects), tick)
    return Snapshot(
        now=now,
        leases=leases,
        lapsed=lapsed,
        generations=generations,
        pins=pins,
        objects=objects,
        nodes=nodes,
        corrupt=corrupt,
        realisations=_realisations(bucket, objects, tick),
    )


def _leases(bucket: Bucket, now: datetime) -> tuple[tuple[LeaseRecord, ...], tuple[str, ...]]:
    found = {each.name: each for each in bucket.objects(LEASES)}
    records = [
        LeaseRecord.parse(data, found[name])
        for name, data in bucket.read_many(found)
        if data is not None
    ]
    lapsed = tuple(each.name for each in records if each.expires + _LEASE_REMAINS < now)
    return tuple(each for each in records if each.expires >= now), lapsed


def _generations(bucket: Bucket) -> tuple[Generation, ...]:
    found = {each.name: each for each in bucket.objects(ROOTS)}
    return tuple(
        Generation(root=Root.parse(data, source=name), written=found[name].modified, size=len(data))
        for name, data in bucket.read_many(found)
        if data is not None
    )


def _nodes(
    bucket: Bucket, names: Iterable[str], tick: Callable[[], None]
) -> tuple[dict[str, Node], tuple[CorruptNarinfo, ...]]:
    nodes: dict[str, Node] = {}
    corrupt: list[CorruptNarinfo] = []
    for name, data in bucket.read_many(names):
        tick()
        if data is None:
            continue  # removed since it was listed
        match parse_node(name, data):
            case Node() as node:
                nodes[object_digest(name)] = node
            case CorruptNarinfo() as broken:
                corrupt.append(broken)
    return nodes, tuple(corrupt)


def parse_node(name: str, data: bytes) -> Node | CorruptNarinfo:
    """What the narinfo ``name`` says, or what is legible of it."""
    text = data.decode("utf-8", "replace")
    try:
        info = NarInfo.parse(text, source=name)
    except VerifyError as error:
        return _corrupt(name, text, error.message)
    if info.key != name:
        return _corrupt(name, text, f"{name} is about {info.store_path}")
    return Node(
        store_path=info.store_path,
        url=info.url,
        references=frozenset(map(path_digest, info.references)) - {object_digest(name)},
        deriver=info.deriver,
    )


def _corrupt(name: str, text: str, reason: str) -> CorruptNarinfo:
    url = _URL.search(text)
    references = _REFERENCES.search(text)
    return CorruptNarinfo(
        name=name,
        reason=reason,
        url=url and url[1],
        references=frozenset(map(path_digest, references[1].split() if references else ())),
    )


def _realisations(
    bucket: Bucket, objects: Iterable[str], tick: Callable[[], None]
) -> dict[str, str | None]:
    names = [name for name in objects if name.startswith(REALISATIONS)]
    found = {}
    for name, data in bucket.read_many(names):
        tick()
        found[name] = _out_path(data or b"")
    return found


def _out_path(data: bytes) -> str | None:
    """``outPath`` of a realisation, which newer versions of Nix keep one level deeper."""
    try:
        document = json.loads(data)
        path = document.get("outPath") or document["value"]["outPath"]
        return path_digest(path)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
