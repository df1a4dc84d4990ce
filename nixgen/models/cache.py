"""Binary caches: a project's own, and those of others that its clients use."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs

from nixgen.models.core import (
    FLAG,
    TARGET_NAME,
    Many,
    Model,
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
    """A binary cache that clients of ours also use. What it has is not pushed once more.

    :param public_keys: ``name:base64``; what a local path is signed with by one of these counts as being there without asking.
    """

    url: str = attrs.field(metadata=checked(_URL))
    public_keys: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_PUBLIC_KEY))
    )


def as_upstreams(value: Many[Upstream]) -> tuple[Upstream, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Cache(Model):
    """A binary cache on S3, under a name that commands take instead of its address.

    :param address: ``s3://bucket/prefix?endpoint=…&region=…``.
    :param public_keys: ``name:base64``; what one of them has signed is trusted. The project's own key when empty.
    :param upstreams: paths that these have, with all they reach, stay out of pushes.
    :param public: anybody may read it over HTTPS; else readers need credentials or ``nixgen cache serve``.
    :param compression: of the archives, with ``level`` the codec's own default when None.
    :param keep: generations of each target that collection leaves, for each environment.
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
