"""The contents of a cache with the roots, pins and leases that keep them, read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import Inventory, read_inventory
from nixgen.cache.keep.documents import contents
from nixgen.cache.keep.leases import LEASES, LeaseRecord
from nixgen.cache.keep.roots import ROOT_FORMAT, ROOTS, Pin, Root, list_pins
from nixgen.programs.observer import ignore
from nixgen.records.rules import Text
from nixgen.records.structure import parse_as
from nixgen.store.path import path_digest

__all__ = ["REALISATIONS", "Generation", "Snapshot", "read_snapshot"]

#: Folders for outputs of content-addressed derivations, of older and newer versions of Nix.
REALISATIONS = ("realisations/", "build-trace-v2/")
#: A lease's document is removed so long after its end: its push must have noticed by then.
_LEASE_REMAINS = timedelta(hours=1)


@frozen(kw_only=True)
class Generation:
    """A root in a cache.

    :param root: its document.
    :param written: when the server received it.
    """

    root: Root
    written: datetime


@frozen(kw_only=True)
class Snapshot:
    """A cache as it was read shortly after ``now``.

    Anything published later belongs to a push whose lease is in ``leases``, or will be seen by the
    sweep's second look.

    :param now: by the server's clock, before anything was read.
    :param leases: those that held at ``now``.
    :param lapsed: names of the leases that ended long ago.
    :param generations: every root.
    :param pins: every pin.
    :param inventory: all objects and narinfos.
    :param realisations: for each object of `REALISATIONS`, the digest of the path that it names;
        None when it is illegible.
    """

    now: datetime
    leases: tuple[LeaseRecord, ...] = ()
    lapsed: tuple[str, ...] = ()
    generations: tuple[Generation, ...] = ()
    pins: tuple[Pin, ...] = ()
    inventory: Inventory = field(factory=Inventory)
    realisations: Mapping[str, str | None] = field(factory=dict)


def read_snapshot(bucket: Bucket, tick: Callable[[], None] = ignore) -> Snapshot:
    """Read everything.

    Takes a request for each thousand objects, and one for each narinfo, realisation, root, pin and
    lease.

    :param bucket: of the cache.
    :param tick: called again and again, to renew a lock during the reading.
    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    :raises CacheError: S3 refuses or does not answer.
    """
    now = bucket.clock()
    # A push records its root and then gives up its lease: roots must be read after leases, and objects after both.
    leases = [LeaseRecord.parse(data, found) for found, data in contents(bucket, LEASES)]
    generations = tuple(
        Generation(root=ROOT_FORMAT.parse(data, source=found.name), written=found.modified)
        for found, data in contents(bucket, ROOTS)
    )
    pins = list_pins(bucket)
    inventory = read_inventory(bucket, tick)
    return Snapshot(
        now=now,
        leases=tuple(each for each in leases if each.expires >= now),
        lapsed=tuple(each.name for each in leases if each.expires + _LEASE_REMAINS < now),
        generations=generations,
        pins=pins,
        inventory=inventory,
        realisations=_realisations(bucket, inventory.objects, tick),
    )


def _realisations(
    bucket: Bucket, objects: Iterable[str], tick: Callable[[], None]
) -> dict[str, str | None]:
    names = [name for name in objects if name.startswith(REALISATIONS)]
    found = {}
    for name, data in bucket.read_many(names):
        tick()
        found[name] = _output_digest(data or b"")
    return found


@frozen(kw_only=True)
class _Output:
    out_path: Text


@frozen(kw_only=True)
class _NestedOutput:
    value: _Output


def _output_digest(data: bytes) -> str | None:
    """The digest of a realisation's ``outPath``; newer versions of Nix keep it one level deeper."""
    try:
        read: _Output | _NestedOutput = parse_as(_Output | _NestedOutput, data)
    except ValueError:
        return None
    return path_digest((read if isinstance(read, _Output) else read.value).out_path)
