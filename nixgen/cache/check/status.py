"""``nixgen cache status``: how much of a project's targets is in a cache, and its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import Inventory, read_inventory
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.keep.roots import ROOTS
from nixgen.driver.store.store import PathInfo, Store
from nixgen.records.document import document
from nixgen.records.structure import to_json

__all__ = ["CacheStatus", "Coverage", "cover", "status"]


@frozen(kw_only=True)
class Coverage:
    """How much of one target a cache has.

    :param attr: the attribute of the target.
    :param outputs: store paths of the target.
    :param closure: the number of paths that a client needs, as far as they are known.
    :param present: how many of them are in the cache.
    :param upstream: how many of them are in an upstream, and not in the cache.
    :param missing: the others, with their uncompressed bytes; None when neither the cache nor the
        local store knows the path.
    """

    attr: str
    outputs: tuple[str, ...]
    closure: int
    present: int
    upstream: int = 0
    missing: Mapping[str, int | None] = field(factory=dict)

    @property
    def covered(self) -> bool:
        """Whether clients get every path of the target."""
        return not self.missing

    @property
    def missing_bytes(self) -> int | None:
        """Uncompressed bytes to push; None when a path has to be built first."""
        sizes = [size for size in self.missing.values() if size is not None]
        return sum(sizes) if len(sizes) == len(self.missing) else None

    @property
    def share(self) -> float:
        """The share of the known closure that clients get, from 0 to 1."""
        return (self.present + self.upstream) / self.closure

    def document(self) -> dict[str, Any]:
        """A member of ``targets`` in JSON documents."""
        return {
            "outputs": list(self.outputs),
            "covered": self.covered,
            "closure": self.closure,
            "present": self.present,
            "upstream": self.upstream,
            "missing": sorted(self.missing),
            "missingBytes": self.missing_bytes,
        }


@frozen(kw_only=True)
class CacheStatus:
    """The size of a cache, and how much of some targets it has.

    :param cache: its address.
    :param paths: number of narinfos.
    :param nar_bytes: uncompressed bytes of all paths.
    :param file_bytes: bytes that their archives take.
    :param newest: when the last narinfo was written; None in an empty cache.
    :param roots: number of generations, by environment.
    :param targets: the coverage of each target.
    """

    cache: str
    paths: int
    nar_bytes: int
    file_bytes: int
    newest: datetime | None
    roots: Mapping[str, int]
    targets: tuple[Coverage, ...]

    @property
    def covered(self) -> bool:
        """Whether clients get every path of every target."""
        return all(target.covered for target in self.targets)

    def document(self) -> dict[str, Any]:
        """The document of ``--json``, nixgen/cache-status/1."""
        targets = {target.attr: target.document() for target in self.targets}
        members = {**to_json(self), "covered": self.covered, "targets": targets}
        return document("nixgen/cache-status/1", **members)


def cover(
    attr: str,
    outputs: Sequence[str],
    inventory: Inventory,
    local: Mapping[str, PathInfo],
    elsewhere: Callable[[Iterable[str]], frozenset[str]],
) -> Coverage:
    """Find which paths of a target's closure are in a cache.

    References come from narinfos, and from the local store for paths that the cache lacks.

    :param attr: the attribute of the target.
    :param outputs: its store paths.
    :param inventory: the contents of the cache.
    :param local: paths of the local store, by path.
    :param elsewhere: returns those of some paths that an upstream has. An upstream has their
        references, too, so they are not followed.
    """
    seen: set[str] = set()
    missing: dict[str, int | None] = {}
    present = upstream = 0
    level = set(outputs)
    while level:
        seen |= level
        absent = {path for path in level if narinfo_name(path) not in inventory.narinfos}
        there = elsewhere(absent)
        below: set[str] = set()
        for path in level:
            if path not in absent:
                present += 1
                info = inventory.narinfos[narinfo_name(path)]
                below.update(f"{info.store_directory}/{name}" for name in info.references)
            elif path in there:
                upstream += 1
            else:
                known = local.get(path)
                missing[path] = known.nar_size if known else None
                below.update(known.references if known else ())
        level = below - seen
    return Coverage(
        attr=attr,
        outputs=tuple(outputs),
        closure=len(seen),
        present=present,
        upstream=upstream,
        missing=missing,
    )


def status(
    bucket: Bucket,
    targets: Mapping[str, Sequence[str]],
    *,
    store: Store,
    elsewhere: Callable[[Iterable[str]], frozenset[str]],
) -> CacheStatus:
    """Look at a cache. Writes nothing.

    :param bucket: of the cache.
    :param targets: outputs, by attribute.
    :param store: the local store, for the closures of paths that the cache lacks.
    :param elsewhere: returns those of some paths that an upstream has.
    :raises CacheError: S3 refuses or does not answer.
    """
    inventory = read_inventory(bucket)
    local: dict[str, PathInfo] = {}
    known: dict[str, bool] = {}

    def remembered(paths: Iterable[str]) -> frozenset[str]:
        wanted = tuple(paths)
        new = tuple(path for path in wanted if path not in known)
        there = elsewhere(new)
        known.update((path, path in there) for path in new)
        return frozenset(path for path in wanted if known[path])

    while True:
        covered = tuple(
            cover(attr, outputs, inventory, local, remembered) for attr, outputs in targets.items()
        )
        unknown = {
            path for target in covered for path, size in target.missing.items() if size is None
        }
        # A path below a narinfo may be known here when what refers to it is not.
        found = store.closure(store.valid(unknown))
        if not found:
            break
        local |= {info.path: info for info in found}
    return CacheStatus(
        cache=str(bucket.location),
        paths=len(inventory.narinfos),
        nar_bytes=inventory.nar_bytes,
        file_bytes=inventory.file_bytes,
        newest=max((inventory.objects[name].modified for name in inventory.narinfos), default=None),
        roots=Counter(
            name.removeprefix(ROOTS).partition("/")[0]
            for name in inventory.objects
            if name.startswith(ROOTS)
        ),
        targets=covered,
    )
