"""Everything that a cache holds, read once: the listing of its objects, and all narinfos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.format.names import is_narinfo
from nixgen.cache.format.narinfo import NarInfo
from nixgen.errors import VerifyError

__all__ = ["Inventory", "read_inventory", "read_narinfo"]

Unreadable: TypeAlias = str


@frozen(kw_only=True)
class Inventory:
    """What a cache held at about one moment: others may push and collect while it is read.

    :param objects: of the whole cache, by name.
    :param narinfos: by name (``<hash part>.narinfo``), not by what they say.
    :param unreadable: names of those that are none, and why.
    """

    objects: Mapping[str, ObjectInfo]
    narinfos: Mapping[str, NarInfo]
    unreadable: Mapping[str, str]

    @property
    def nar_bytes(self) -> int:
        """Uncompressed bytes of all paths."""
        return sum(info.nar_size for info in self.narinfos.values())

    @property
    def file_bytes(self) -> int:
        """Bytes that the archives of all paths take, each archive once."""
        return sum(map(self.size, {info.url for info in self.narinfos.values()}))

    def size(self, name: str) -> int:
        """Bytes of an object; 0 when it was not there."""
        found = self.objects.get(name)
        return found.size if found else 0


def read_inventory(bucket: Bucket) -> Inventory:
    """List everything, and read the narinfos, as many at once as the bucket has connections.

    :raises CacheError: S3 refuses or does not answer.
    """
    objects = {found.name: found for found in bucket.objects()}
    narinfos, unreadable = _parsed(bucket, filter(is_narinfo, objects))
    return Inventory(objects=objects, narinfos=narinfos, unreadable=unreadable)


def _parsed(
    bucket: Bucket, names: Iterable[str]
) -> tuple[dict[str, NarInfo], dict[str, Unreadable]]:
    narinfos: dict[str, NarInfo] = {}
    unreadable: dict[str, Unreadable] = {}
    for name, data in bucket.read_many(names):
        if data is None:  # collected since it was listed
            continue
        read = read_narinfo(data)
        if isinstance(read, NarInfo):
            narinfos[name] = read
        else:
            unreadable[name] = read
    return narinfos, unreadable


def read_narinfo(data: bytes) -> NarInfo | Unreadable:
    """The narinfo that ``data`` is, or why it is none."""
    try:
        return NarInfo.parse(data.decode(), source="it")
    except UnicodeDecodeError:
        return "it is not text"
    except VerifyError as error:
        return error.message.removeprefix("it is corrupt: ")
