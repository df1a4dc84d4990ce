"""A bucket in memory, with the part of `Bucket` that a push uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from attrs import define, field, frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.format.names import content_type
from nixgen.errors import CacheError
from nixgen.store.digest import Hash

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@frozen(kw_only=True)
class StoredObject:
    """An object, with everything that it was stored with.

    :param if_absent: whether it was stored on condition that there was none.
    """

    body: bytes
    content_type: str
    digest: Hash | None = None
    metadata: Mapping[str, str] = field(factory=dict)
    if_absent: bool = False


@define
class MemoryBucket:
    """The state of the bucket.

    :param objects_by_name: the objects.
    :param calls: method and name of each request.
    :param fail: errors by method; raised instead of an answer.
    :param appear: objects that another push stores just before a conditional write of that name.
    :param aborted: names whose uploads were aborted.
    :param parts: bytes of the parts by the name of the object.
    """

    objects_by_name: dict[str, StoredObject] = field(factory=dict)
    calls: list[tuple[str, str]] = field(factory=list)
    fail: dict[str, Exception] = field(factory=dict)
    appear: dict[str, StoredObject] = field(factory=dict)
    aborted: list[str] = field(factory=list)
    parts: dict[str, dict[int, bytes]] = field(factory=dict)
    location: Any = "s3://memory"
    client: Any = None
    connections: int = 4
    statistics: PaceStatistics = field(factory=lambda: PaceStatistics(requests=3))
    _lock: Any = field(factory=threading.Lock)

    @property
    def bucket(self) -> Bucket:
        """This bucket, for a type checker."""
        return cast("Bucket", self)

    def _call(self, method: str, name: str) -> None:
        with self._lock:
            self.calls.append((method, name))
        if method in self.fail:
            raise self.fail[method]

    def names_of(self, method: str) -> list[str]:
        """The names that a method was called with, sorted."""
        return sorted(name for called, name in self.calls if called == method)

    def head(self, name: str) -> ObjectInfo | None:
        self._call("head", name)
        found = self.objects_by_name.get(name)
        return found and ObjectInfo(
            name=name, size=len(found.body), modified=_NOW, etag="t", metadata=found.metadata
        )

    def read(self, name: str) -> bytes | None:
        self._call("read", name)
        found = self.objects_by_name.get(name)
        return found and found.body

    def objects(
        self, prefix: str = "", *, after: str = "", flat: bool = False
    ) -> Iterator[ObjectInfo]:
        self._call("list", prefix)
        for name in sorted(self.objects_by_name):
            if (
                name.startswith(prefix)
                and name > after
                and not (flat and "/" in name[len(prefix) :])
            ):
                body = self.objects_by_name[name].body
                yield ObjectInfo(name=name, size=len(body), modified=_NOW, etag="t")

    def put(
        self,
        name: str,
        body: bytes,
        *,
        digest: Hash | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> bool:
        self._call("put", name)
        stored = StoredObject(
            body=body,
            content_type=content_type(name),
            digest=digest,
            metadata=metadata or {},
            if_absent=if_absent,
        )
        return self._store(name, stored)

    def _store(self, name: str, stored: StoredObject) -> bool:
        if name in self.appear:
            self.objects_by_name[name] = self.appear[name]
        if stored.if_absent and name in self.objects_by_name:
            return False
        self.objects_by_name[name] = stored
        return True

    def multipart(self, name: str) -> MemoryUpload:
        self._call("multipart", name)
        return MemoryUpload(self, name, content_type(name))


@frozen
class MemoryUpload:
    """An upload in parts."""

    _memory: MemoryBucket
    name: str
    content_type: str

    def put(self, number: int, body: bytes) -> str:
        self._memory._call("part", self.name)
        self._memory.parts.setdefault(self.name, {})[number] = body
        return f"tag {number}"

    def complete(self, tags: list[str], *, if_absent: bool = False) -> bool:
        self._memory._call("complete", self.name)
        parts = self._memory.parts[self.name]
        if tags != [f"tag {number}" for number in range(1, len(parts) + 1)]:
            raise CacheError(f"tags of other parts: {tags}")
        body = b"".join(parts[number] for number in sorted(parts))
        stored = StoredObject(body=body, content_type=self.content_type, if_absent=if_absent)
        return self._memory._store(self.name, stored)

    def abort(self) -> None:
        self._memory._call("abort", self.name)
        self._memory.aborted.append(self.name)
