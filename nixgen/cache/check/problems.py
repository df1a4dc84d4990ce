"""What can be wrong with a cache."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from nixgen.store.path import path_name

__all__ = ["CacheProblem", "ProblemKind"]


class ProblemKind(StrEnum):
    """A closed list; the values stand in JSON documents."""

    CACHE_INFO = "cache-info"
    """``nix-cache-info`` is missing, or is no such file."""

    NARINFO_UNREADABLE = "narinfo-unreadable"
    NARINFO_MISNAMED = "narinfo-misnamed"
    """It tells of another path than the one that its name stands for, or of another store's."""

    SIGNATURE_MISSING = "signature-missing"
    """None of the given keys' names signed it, and its content does not vouch for it."""

    SIGNATURE_WRONG = "signature-wrong"
    """A signature bears the name of a given key, and is not its own."""

    REFERENCE_LOST = "reference-lost"
    """Neither the cache nor an upstream has a narinfo for it."""

    NAR_MISSING = "nar-missing"
    FILE_SIZE = "file-size"
    """The stored bytes are more or fewer than the narinfo says."""

    FILE_HASH = "file-hash"
    """The stored bytes are not those that the narinfo names."""

    COMPRESSION_UNKNOWN = "compression-unknown"
    NAR_UNREADABLE = "nar-unreadable"
    """The stored bytes cannot be decompressed."""

    NAR_SIZE = "nar-size"
    NAR_HASH = "nar-hash"
    """The archive is not the one that was signed."""

    NAR_ORPHAN = "nar-orphan"
    """No narinfo names it; it costs space, and harms nobody."""

    LISTING_ORPHAN = "listing-orphan"
    """A ``.ls`` whose narinfo is gone."""

    UPLOAD_UNFINISHED = "upload-unfinished"
    """Parts of a multipart upload that nobody completes or aborts; they are paid for, and no listing shows them."""

    DOCUMENT_UNREADABLE = "document-unreadable"
    """A document of nixgen's own (a root, a pin, a lease) that is none."""

    @property
    def is_waste(self) -> bool:
        """It takes space, and no client can meet it; a collection removes it."""
        return self in _WASTE

    @property
    def is_of_archive(self) -> bool:
        """The NAR is missing or wrong, whatever its narinfo says."""
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
    """One thing that is wrong.

    :param object: the name in the cache that is wrong, or that should be there.
    :param path: the store path that clients will not get, as far as it is known; for a lost reference, the lost path.
    :param message: what is wrong; follows the path's or the object's name.
    """

    kind: ProblemKind
    object: str
    path: str | None = None
    message: str

    @property
    def what(self) -> str:
        """The path's name without directory and hash, or the object's."""
        return self.object if self.path is None else path_name(self.path)

    @property
    def remedy(self) -> str:
        """What mends it: a command, or what to look at."""
        if self.kind.is_waste:
            return "nixgen cache gc"
        if self.kind is ProblemKind.DOCUMENT_UNREADABLE:
            return "read it; then correct or delete it"
        if self.kind is ProblemKind.SIGNATURE_MISSING:
            return "give its key with --key, or: nixgen cache repair"
        return "nixgen cache repair"

    def document(self) -> dict[str, str | None]:
        """A member of ``problems`` in JSON documents."""
        return {
            "kind": self.kind.value,
            "object": self.object,
            "path": self.path,
            "message": self.message,
        }
