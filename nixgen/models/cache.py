"""Binary caches: a project's own caches, and other caches that its clients use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from nixgen.models.checks import pattern, whole_number
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, choice, field, flag, list_of, model
from nixgen.models.lines import PlainText, TargetName

__all__ = ["Cache", "Upstream"]

Compression = Literal["gzip", "none", "xz", "zstd"]

_LEVELS: dict[Compression, range] = {
    "gzip": range(10),
    "none": range(1),
    "xz": range(10),
    "zstd": range(1, 20),
}

# the settings of Nix separate URLs and keys by blanks, and # begins a comment
_NOT = r"\s\x00-\x1f\x7f"


class CacheUrl(
    PlainText,
    check=pattern(
        rf"(https?|file)://[^{_NOT}?#]+",
        what="the URL of a binary cache",
        example="https://cache.nixos.org",
    ),
):
    """The URL of a cache, one of those in a setting of Nix."""

    __slots__ = ()


class PublicKey(
    PlainText,
    check=pattern(
        rf"[^{_NOT}:#]+:[A-Za-z0-9+/]{{43}}=",
        what="a public key",
        example="cache.example.org-1:<44 characters of base64>",
    ),
):
    """A public key of a cache, one of those in a setting of Nix."""

    __slots__ = ()


class CacheAddress(
    PlainText,
    check=pattern(
        rf"s3://[a-z0-9][a-z0-9.\-]{{1,61}}[a-z0-9](/[^{_NOT}?#]*)?(\?[^{_NOT}#]*)?",
        what="the address of a cache",
        example="s3://bucket/prefix?region=eu-central-1",
    ),
):
    """The address of a bucket."""

    __slots__ = ()


@model
class Upstream(Model):
    """A binary cache of somebody else that clients of this project also use. Store paths that it
    has are not pushed again.

    :param url: URL of the cache, ``https://``, ``http://`` or ``file://``.
    :param public_keys: Public keys of the cache, each ``name:base64``. A local path signed with one
        of them counts as present in the cache, so the cache is not asked about it.
    """

    url: str = field(CacheUrl, kw_only=False)
    public_keys: ListOf[str] = list_of(PublicKey, default=())


@model
class Cache(Model):
    """A binary cache on S3, with a name that commands take instead of its address.

    :param name: Name of the cache on the command line.
    :param address: Address of the bucket: ``s3://bucket/prefix?endpoint=…&region=…``.
    :param public_keys: Public keys to trust, each ``name:base64``: a path signed with one of them
        may be fetched. When empty (the default), the project's own key is trusted.
    :param upstreams: Caches whose paths are not pushed to this one. A path is left out when an
        upstream has it together with everything that it refers to.
    :param public: True when anybody may read the cache over HTTPS. False (the default) means that
        readers need credentials or ``nixgen cache serve``.
    :param compression: Compression of the archives: ``zstd`` (the default), ``xz``, ``gzip`` or
        ``none``.
    :param level: Compression level: 1 to 19 for zstd, 0 to 9 for xz and gzip, 0 for none. None (the
        default) is the codec's own default level.
    :param keep: Number of generations of each target, in each environment, that garbage collection
        keeps; 3 unless given.
    """

    addressed_by_name = True

    name: str = field(TargetName, kw_only=False)
    address: str = field(CacheAddress, kw_only=False)
    public_keys: ListOf[str] = list_of(PublicKey, default=())
    upstreams: ListOf[Upstream] = list_of(Upstream, default=())
    public: bool = flag(default=False)
    compression: Compression = choice(Compression, default="zstd")
    level: int | None = field(whole_number(0, 19), default=None)
    keep: int = field(whole_number(1, 10_000), default=3)

    def faults(self) -> Iterator[Fault]:
        levels = _LEVELS[self.compression]
        if self.level is not None and self.level not in levels:
            hint = f"use {levels.start} to {levels.stop - 1}" if len(levels) > 1 else "leave it out"
            yield ".level", f"{self.compression} has no level {self.level}", hint
