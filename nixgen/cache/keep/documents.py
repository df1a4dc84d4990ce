"""The JSON documents below ``nixgen/`` in a cache, which say what collections keep and remove.

docs/contracts.md §9 lists them.
"""

from __future__ import annotations

from typing import TypeVar

from attrs import frozen

from nixgen.errors import NixgenError, VerifyError
from nixgen.records.format import Format

__all__ = ["CacheFormat"]

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
