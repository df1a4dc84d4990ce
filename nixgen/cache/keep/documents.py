"""The JSON documents below ``nixgen/`` in a cache, which say what collections keep and remove.

docs/contracts.md §9 lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.errors import NixgenError, VerifyError
from nixgen.records.format import Format

__all__ = ["CacheFormat", "contents"]

_T = TypeVar("_T")


@frozen(kw_only=True)
class CacheFormat(Format[_T]):
    """One kind of document in a cache.

    A document that cannot be read stops a collection: nobody knows what it keeps. Members that this
    version of nixgen does not know are ignored.

    :param error: raised for a document that is wrong.
    :param hint: what to do about a wrong document.
    :param ignore_unknown: accept members that ``shape`` does not have.
    """

    error: type[NixgenError] = VerifyError
    hint: str = (
        "look at it; remove it from the bucket if nothing that it names is needed,"
        " or use a newer nixgen"
    )
    ignore_unknown: bool = True

    def encode(self, value: _T) -> bytes:
        """The bytes of a document; equal values are equal bytes.

        :param value: of the class ``shape``.
        """
        return self.text(value, indent=1).encode()


def contents(bucket: Bucket, prefix: str) -> Iterator[tuple[ObjectInfo, bytes]]:
    """Read all documents below a prefix. Those that are removed meanwhile are left out.

    :param bucket: of the cache.
    :param prefix: of their names.
    """
    listed = {each.name: each for each in bucket.objects(prefix)}
    for name, data in bucket.read_many(listed):
        if data is not None:
            yield listed[name], data
