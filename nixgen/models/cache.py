"""Binary caches: a project's own caches, and other caches that its clients use."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs

from nixgen.models.checks import (
    FLAG,
    TARGET_NAME,
    Many,
    as_strings,
    as_tuple,
    checked,
    each,
    models,
    one_of,
    optional,
    pattern,
    whole_number,
)
from nixgen.models.core import Model

__all__ = ["Cache", "Upstream", "as_caches"]

Compression = Literal["gzip", "none", "xz", "zstd"]

_URL = pattern(
    r"(https?|file)://[^\s?#]+", what="the URL of a binary cache", example="https://cache.nixos.org"
)
_PUBLIC_KEY = pattern(
    r"[^\s:]+:[A-Za-z0-9+/]{43}=",
    what="a public key",
    example="cache.example.org-1:<44 characters of base64>",
)
_CACHE = pattern(
    r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[^?#]*)?(\?[^#]*)?",
    what="the address of a cache",
    example="s3://bucket/prefix?region=eu-central-1",
)


@attrs.frozen(eq=False)
class Upstream(Model):
    """A binary cache of somebody else that clients of this project also use. Store paths that it
    has are not pushed again.

    :param url: URL of the cache, ``https://``, ``http://`` or ``file://``.
    :param public_keys: Public keys of the cache, each ``name:base64``. A local path signed with one
        of them counts as present in the cache, so the cache is not asked about it.
    """

    url: str = attrs.field(metadata=checked(_URL))
    public_keys: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_PUBLIC_KEY))
    )


def as_upstreams(value: Many[Upstream]) -> tuple[Upstream, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
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

    addressed_by_name: ClassVar[bool] = True

    name: str = attrs.field(metadata=checked(TARGET_NAME))
    address: str = attrs.field(metadata=checked(_CACHE))
    public_keys: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_PUBLIC_KEY))
    )
    upstreams: tuple[Upstream, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_upstreams,
        metadata=models(Upstream),
    )
    public: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    compression: Compression = attrs.field(
        default="zstd", kw_only=True, metadata=checked(one_of(Compression))
    )
    level: int | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(whole_number(0, 19)))
    )
    keep: int = attrs.field(default=3, kw_only=True, metadata=checked(whole_number(1, 10_000)))


def as_caches(value: Many[Cache]) -> tuple[Cache, ...]:
    return as_tuple(value)
