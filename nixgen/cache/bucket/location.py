"""The address of a cache, as people and Nix write it: ``s3://bucket/prefix?endpoint=…``.

The parameters are those of Nix's own S3 store (``endpoint``, ``scheme``, ``region``, ``profile``),
and ``path-style`` and ``emulator``.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from attrs import field, frozen

from nixgen.errors import UsageError

__all__ = ["DEFAULT_REGION", "CacheLocation"]

DEFAULT_REGION = "us-east-1"


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
# a part of the name of a host
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")
_PARAMETERS = ("emulator", "endpoint", "path-style", "profile", "region", "scheme")
_EXAMPLE = "write it like s3://bucket/prefix?region=eu-central-1 or s3://bucket?endpoint=https://s3.example.org"


def _prefix(value: str) -> str:
    return value.strip("/")


@frozen(kw_only=True)
class CacheLocation:
    """The address of a cache: a bucket and the way to it.

    :param bucket: the name of the bucket.
    :param prefix: put before every key, without slashes at its ends; may be empty.
    :param endpoint: ``http[s]://host[:port]`` of an S3 server. None: Amazon's.
    :param region: of the bucket.
    :param profile: of the AWS configuration files. None: the usual search for credentials.
    :param path_style: use ``endpoint/bucket/key``, not ``bucket.endpoint/key``.
    :param emulator: whether it is an emulator, which needs no credentials.
    """

    bucket: str
    prefix: str = field(default="", converter=_prefix)
    endpoint: str | None = None
    region: str = DEFAULT_REGION
    profile: str | None = None
    path_style: bool = False
    emulator: bool = False

    @classmethod
    def embedded(cls, endpoint: str, bucket: str = "nixgen-cache") -> CacheLocation:
        """The address of an emulator that nixgen starts (`nixgen.cache.serve.embedded`).

        :param endpoint: its URL.
        :param bucket: the name of its bucket.
        """
        return cls(bucket=bucket, endpoint=endpoint, path_style=True, emulator=True)

    @classmethod
    def parse(cls, text: str) -> CacheLocation:
        """Read an address.

        :param text: such as ``s3://bucket/prefix?region=eu-central-1``.
        :raises UsageError: it is not an address, or has an unknown parameter.
        """
        # urlsplit leaves line ends and tabs out; behind a % they are text, too
        if not unquote(text).isprintable():
            raise UsageError(f"{text!r} has characters that no address may have", hint=_EXAMPLE)
        try:
            parts = urlsplit(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise UsageError(f"{text!r} is not the address of a cache", hint=_EXAMPLE) from error
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.fragment:
            raise UsageError(f"{text!r} is not the address of a cache", hint=_EXAMPLE)
        given = dict(pairs)
        for name in given:
            if name not in _PARAMETERS:
                raise UsageError(
                    f"{text!r} has an unknown parameter: {name}",
                    hint=f"the parameters are {', '.join(_PARAMETERS)}",
                )
        region = given.get("region") or DEFAULT_REGION
        if not _REGION.fullmatch(region):
            raise UsageError(f"{text!r} has no name of a region: {region!r}", hint=_EXAMPLE)
        endpoint = _endpoint(given.get("endpoint"), given.get("scheme", "https"), text)
        return cls(
            bucket=parts.netloc,
            prefix=unquote(parts.path),
            endpoint=endpoint,
            region=region,
            profile=given.get("profile") or None,
            path_style=_flag(given, "path-style", default=endpoint is not None, text=text),
            emulator=_flag(given, "emulator", default=False, text=text),
        )

    def key(self, name: str) -> str:
        """The S3 key of an object of the cache.

        :param name: of the object.
        """
        return f"{self.prefix}/{name}" if self.prefix else name

    def __str__(self) -> str:
        """The address, such that `parse` returns an equal value."""
        query: dict[str, str] = {}
        if self.endpoint is not None:
            query["endpoint"] = self.endpoint
        if self.region != DEFAULT_REGION:
            query["region"] = self.region
        if self.profile is not None:
            query["profile"] = self.profile
        if self.path_style != (self.endpoint is not None):
            query["path-style"] = "true" if self.path_style else "false"
        if self.emulator:
            query["emulator"] = "true"
        path = f"/{quote(self.prefix)}" if self.prefix else ""
        return f"s3://{self.bucket}{path}" + (f"?{urlencode(query, safe=':/')}" if query else "")


def _endpoint(value: str | None, scheme: str, text: str) -> str | None:
    if not value:
        return None
    # Nix writes the bare host and the scheme beside it.
    endpoint = value if "://" in value else f"{scheme}://{value}"
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise UsageError(f"{text!r} has an endpoint that is not http:// or https://", hint=_EXAMPLE)
    return endpoint.rstrip("/")


def _flag(given: dict[str, str], name: str, *, default: bool, text: str) -> bool:
    value = given.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise UsageError(f"{text!r}: {name} is neither true nor false: {value!r}", hint=_EXAMPLE)
    return value == "true"
