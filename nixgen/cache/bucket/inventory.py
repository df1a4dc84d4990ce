"""The contents of a cache, read once: the listing of all its objects, and every narinfo."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.format.names import is_narinfo
from nixgen.cache.format.narinfo import NarInfo
from nixgen.errors import VerifyError
from nixgen.programs.observer import ignore
from nixgen.store.path import path_digest

__all__ = ["Inventory", "UnreadableNarinfo", "read_inventory", "read_narinfo"]

_URL = re.compile(r"^URL: (\S+)\n", re.MULTILINE)
_REFERENCES = re.compile(r"^References: (.*)\n", re.MULTILINE)


@frozen(kw_only=True)
class UnreadableNarinfo:
    """A narinfo that Nix would refuse, with the parts of it that are still legible.

    :param reason: what is wrong with it, such as ``NarSize is missing``.
    :param url: the archive that it names; None when illegible, so that it may name any archive.
    :param references: digests of the store paths that it refers to.
    """

    reason: str
    url: str | None = None
    references: frozenset[str] = frozenset()


@frozen(kw_only=True)
class Inventory:
    """The contents of a cache at about one moment: others may push and collect during the reading.

    :param objects: every object of the cache, by name.
    :param narinfos: by the name of their file, which may differ from the path that they describe.
    :param unreadable: the files named like a narinfo that are none, by name.
    """

    objects: Mapping[str, ObjectInfo] = field(factory=dict)
    narinfos: Mapping[str, NarInfo] = field(factory=dict)
    unreadable: Mapping[str, UnreadableNarinfo] = field(factory=dict)

    @property
    def nar_bytes(self) -> int:
        """Uncompressed bytes of all paths."""
        return sum(info.nar_size for info in self.narinfos.values())

    @property
    def file_bytes(self) -> int:
        """Stored bytes of the archives of all paths; an archive that several share counts once."""
        return sum(map(self.size, {info.url for info in self.narinfos.values()}))

    def size(self, name: str) -> int:
        """Bytes of an object; 0 when it is not in the listing.

        :param name: of the object in the cache.
        """
        found = self.objects.get(name)
        return found.size if found else 0


def read_inventory(bucket: Bucket, tick: Callable[[], None] = ignore) -> Inventory:
    """List every object, and read the narinfos, as many at once as the bucket has connections.

    Takes a request for each thousand objects, and one for each narinfo.

    :param bucket: of the cache.
    :param tick: called after each object and each narinfo, to renew a lock during the reading.
    :raises CacheError: S3 refuses or does not answer.
    """
    objects: dict[str, ObjectInfo] = {}
    for found in bucket.objects():
        tick()
        objects[found.name] = found
    narinfos: dict[str, NarInfo] = {}
    unreadable: dict[str, UnreadableNarinfo] = {}
    for name, data in bucket.read_many(filter(is_narinfo, objects)):
        tick()
        match None if data is None else read_narinfo(data):
            case NarInfo() as info:
                narinfos[name] = info
            case UnreadableNarinfo() as broken:
                unreadable[name] = broken
            case None:  # removed since it was listed
                pass
    return Inventory(objects=objects, narinfos=narinfos, unreadable=unreadable)


def read_narinfo(data: bytes) -> NarInfo | UnreadableNarinfo:
    """Read the bytes of a narinfo file.

    :param data: the whole file.
    """
    text = data.decode("utf-8", "replace")
    try:
        return NarInfo.parse(data.decode(), source="it")
    except UnicodeDecodeError:
        reason = "it is not text"
    except VerifyError as error:
        reason = error.message.removeprefix("it is corrupt: ")
    url, references = _URL.search(text), _REFERENCES.search(text)
    return UnreadableNarinfo(
        reason=reason,
        url=url and url[1],
        references=frozenset(map(path_digest, references[1].split() if references else ())),
    )
