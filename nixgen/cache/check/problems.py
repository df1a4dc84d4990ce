"""The problems that a cache can have."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from nixgen.cache.format.narinfo import NarInfo
from nixgen.store.path import path_name

__all__ = ["CacheProblem", "ProblemKind", "first_difference"]


class ProblemKind(StrEnum):
    """The kinds of problems, a closed list. The values stand in JSON documents."""

    CACHE_INFO = "cache-info"
    """``nix-cache-info`` is missing or unreadable."""

    NARINFO_UNREADABLE = "narinfo-unreadable"
    NARINFO_MISNAMED = "narinfo-misnamed"
    """A narinfo describes another path than its name says, or a path of another store."""

    SIGNATURE_MISSING = "signature-missing"
    """No given key signed the path, and its name does not follow from its content."""

    SIGNATURE_WRONG = "signature-wrong"
    """A signature bears the name of a given key, and was not made by that key."""

    REFERENCE_LOST = "reference-lost"
    """Neither the cache nor an upstream has a narinfo for a path that others refer to."""

    NAR_MISSING = "nar-missing"
    FILE_SIZE = "file-size"
    """The number of stored bytes is not the narinfo's."""

    FILE_HASH = "file-hash"
    """The hash of the stored bytes is not the narinfo's."""

    COMPRESSION_UNKNOWN = "compression-unknown"
    NAR_UNREADABLE = "nar-unreadable"
    """The stored bytes cannot be decompressed."""

    NAR_SIZE = "nar-size"
    NAR_HASH = "nar-hash"
    """The archive is not the one that was signed."""

    NAR_ORPHAN = "nar-orphan"
    """An archive that no narinfo names. It costs space, and clients never meet it."""

    LISTING_ORPHAN = "listing-orphan"
    """A ``.ls`` whose narinfo is gone."""

    UPLOAD_UNFINISHED = "upload-unfinished"
    """The parts of an abandoned multipart upload. They are paid for, and no listing shows them."""

    DOCUMENT_UNREADABLE = "document-unreadable"
    """An object in the place of a root, pin or lease that is no document of nixgen."""

    @property
    def is_waste(self) -> bool:
        """Whether the object only takes space: clients never need it, and a collection removes it."""
        return self in _WASTE

    @property
    def is_of_archive(self) -> bool:
        """Whether the archive is missing or wrong, whatever its narinfo says."""
        return self in _ARCHIVE


_WASTE = frozenset(
    {ProblemKind.NAR_ORPHAN, ProblemKind.LISTING_ORPHAN, ProblemKind.UPLOAD_UNFINISHED}
)
_ARCHIVE = frozenset(
    {
        ProblemKind.NAR_MISSING,
        ProblemKind.FILE_SIZE,
        ProblemKind.FILE_HASH,
        ProblemKind.COMPRESSION_UNKNOWN,
        ProblemKind.NAR_UNREADABLE,
        ProblemKind.NAR_SIZE,
        ProblemKind.NAR_HASH,
    }
)


@frozen(kw_only=True)
class CacheProblem:
    """One problem of a cache.

    :param kind: of the problem.
    :param object: the name of the object in the cache that is wrong or missing.
    :param path: the store path that clients will not get, when known; for a lost reference, the
        lost path.
    :param message: what is wrong; follows the name of the path or the object.
    """

    kind: ProblemKind
    object: str
    path: str | None = None
    message: str

    @property
    def name(self) -> str:
        """The name of the path without folder and digest, or the name of the object."""
        return self.object if self.path is None else path_name(self.path)

    @property
    def remedy(self) -> str:
        """The command that removes the problem, or the advice when a person has to."""
        if self.kind.is_waste:
            return "nixgen cache gc"
        if self.kind is ProblemKind.DOCUMENT_UNREADABLE:
            return "read it; then correct or delete it"
        if self.kind is ProblemKind.SIGNATURE_MISSING:
            return "give its key with --key, or: nixgen cache repair"
        return "nixgen cache repair"


def first_difference(
    info: NarInfo, *differences: tuple[bool, ProblemKind, str]
) -> CacheProblem | None:
    """The problem of an archive, when it differs from its narinfo.

    :param info: the narinfo.
    :param differences: whether the two differ, the kind and the message, the cause of others first.
    """
    for differs, kind, message in differences:
        if differs:
            return CacheProblem(kind=kind, object=info.url, path=info.store_path, message=message)
    return None
