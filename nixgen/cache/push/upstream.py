"""Paths that need not be pushed, because clients get them from an upstream cache.

A path is left to an upstream only together with all its references. So a client that uses the cache
and its upstreams finds every closure complete, also when the upstream's own closure is not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from attrs import frozen

from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.narinfo import fingerprint
from nixgen.cache.format.signing import PublicKey
from nixgen.cache.push.events import Observer, UpstreamSilent
from nixgen.driver.store.store import PathInfo
from nixgen.errors import UsageError
from nixgen.store.digest import Hash

if TYPE_CHECKING:
    from urllib3 import PoolManager

__all__ = ["Upstream", "UpstreamCaches", "left_to_upstreams"]

_CONNECTIONS = 25


@frozen(kw_only=True)
class Upstream:
    """A binary cache over HTTP or in a folder; without an address, all caches with a given key.

    :param url: ``http://``, ``https://`` or ``file://``; None when only signatures count.
    :param public_keys: a path with a signature by one of these keys counts as present, without a
        request.
    """

    url: str | None = None
    public_keys: tuple[PublicKey, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Upstream:
        """Read an upstream from the command line.

        :param text: an address, or a public key (``name:base64``).
        :raises UsageError: it is neither.
        """
        if text.startswith(("http://", "https://", "file://")):
            return cls(url=text.rstrip("/"))
        try:
            return cls(public_keys=(PublicKey.parse(text),))
        except UsageError as error:
            raise UsageError(
                f"{text!r} is neither the address nor the public key of an upstream cache",
                hint="for example https://cache.nixos.org, or cache.nixos.org-1:<base64>",
            ) from error


def left_to_upstreams(
    missing: Sequence[PathInfo], upstreams: Sequence[Upstream], observe: Observer
) -> frozenset[str]:
    """The missing paths that clients get from upstream caches, each with all its references.

    :param missing: references before their referrers; references outside it are in the cache.
    :param upstreams: the upstream caches.
    :param observe: receives `UpstreamSilent`.
    """
    signed = {info.path for info in missing if _signed(info, upstreams)}
    unsigned = [info.path for info in missing if info.path not in signed]
    with UpstreamCaches([each.url for each in upstreams if each.url], observe) as caches:
        elsewhere = signed | caches.having(unsigned)
    left: set[str] = set()
    kept: set[str] = set()
    for info in missing:
        # A reference to the path itself is in neither set yet.
        stays = info.path not in elsewhere or not kept.isdisjoint(info.references)
        (kept if stays else left).add(info.path)
    return frozenset(left)


def _signed(info: PathInfo, upstreams: Sequence[Upstream]) -> bool:
    if not info.signatures:
        return False
    text = fingerprint(info.path, Hash.parse(info.nar_hash), info.nar_size, info.references)
    return any(
        key.verifies(text, info.signatures) for each in upstreams for key in each.public_keys
    )


class UpstreamCaches:
    """Several binary caches that are asked for paths. A cache without an answer is not asked again.

    :param urls: of the caches.
    :param observe: receives `UpstreamSilent`.
    """

    def __init__(self, urls: Sequence[str], observe: Observer) -> None:
        self._urls = urls
        self._observe = observe
        self._silent: set[str] = set()
        self._http: PoolManager | None = None
        if any(not url.startswith("file://") for url in urls):
            from urllib3 import PoolManager, Retry, Timeout

            self._http = PoolManager(
                maxsize=_CONNECTIONS,
                block=True,
                retries=Retry(3, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504)),
                timeout=Timeout(connect=5, read=20),
            )

    def __enter__(self) -> UpstreamCaches:  # noqa: PYI034 - nothing derives from it
        return self

    def __exit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.clear()

    def having(self, paths: Collection[str]) -> frozenset[str]:
        """Which paths at least one of the caches has.

        :param paths: full store paths.
        """
        if not self._urls or not paths:
            return frozenset()
        with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="cache-upstream") as pool:
            found = pool.map(self._has, paths)
            return frozenset(path for path, has in zip(paths, found, strict=True) if has)

    def _has(self, path: str) -> bool:
        name = narinfo_name(path)
        return any(self._answers(url, name) for url in self._urls if url not in self._silent)

    def _answers(self, url: str, name: str) -> bool:
        if self._http is None or url.startswith("file://"):
            return (Path(unquote(urlsplit(url).path)) / name).exists()
        from urllib3.exceptions import HTTPError

        try:
            status = self._http.request("HEAD", f"{url}/{name}").status
        except HTTPError as error:
            self._fall_silent(url, str(error))
            return False
        # A private bucket answers 403 for an object that it does not have.
        if status not in (200, 403, 404):
            self._fall_silent(url, f"it answers with status {status}")
        return status == 200

    def _fall_silent(self, url: str, reason: str) -> None:
        if url not in self._silent:
            self._silent.add(url)
            self._observe(UpstreamSilent(url=url, reason=reason))
