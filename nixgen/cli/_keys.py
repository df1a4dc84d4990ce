"""Open projects and buckets, and read public keys and upstreams, for ``nixgen cache``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.errors import UsageError

if TYPE_CHECKING:
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.format.signing import PublicKey
    from nixgen.project.workspace import Workspace

__all__ = ["open_bucket", "open_workspace", "public_keys", "upstream_urls"]


def open_workspace(project: Path, cache: str | None) -> Workspace | None:
    """Open the project, if the command needs one.

    :param project: its folder.
    :param cache: the cache as typed. With an address, a folder without infra.py gives None.
    :raises InputError: the project is wrong, or it is needed and missing.
    """
    from nixgen.project.workspace import Workspace

    if cache is not None and "://" in cache and not (project / "infra.py").exists():
        return None
    return Workspace.open(project)


@contextlib.contextmanager
def open_bucket(workspace: Workspace | None, cache: str | None) -> Iterator[Bucket]:
    """Open the bucket of a cache for the length of a ``with`` block.

    :param workspace: the project; None outside of one.
    :param cache: an address, or the name of a Cache of the project; None: the project's own S3.
    :raises UsageError: it is neither.
    """
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.verbs import caches

    with caches.cache_location(workspace, cache) as location, Bucket(location) as bucket:
        yield bucket


def public_keys(
    given: Iterable[str],
    workspace: Workspace | None,
    cache: str | None,
    *,
    option: str,
    optional: bool = False,
) -> tuple[PublicKey, ...]:
    """Parse public keys. The default is the keys that the project sets for a cache, or its own key.

    :param given: keys as ``name:base64``, or files that contain one.
    :param workspace: the project, if any.
    :param cache: the cache as typed.
    :param option: the option that gives keys, for the hint.
    :param optional: do not require a key.
    :raises UsageError: a key is wrong, or there is none.
    """
    from nixgen.cache.format.signing import PublicKey
    from nixgen.verbs import caches

    texts = [_text(each) for each in given]
    if not texts and workspace is not None:
        texts = [*caches.trusted_keys(workspace, cache)]
    if not texts and not optional:
        raise UsageError(
            "there is no public key to check signatures with",
            hint=f"give {option} NAME:BASE64, or {option} FILE.pub; in a project that has pushed, its own key is the default",
        )
    return tuple(map(PublicKey.parse, texts))


def _text(given: str) -> str:
    try:
        return Path(given).read_text() if Path(given).is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the public key {given}: {error}") from error


def upstream_urls(
    given: Iterable[str], workspace: Workspace | None, cache: str | None
) -> tuple[str, ...]:
    """The addresses of the caches that clients use beside a cache.

    :param given: addresses as typed; those that the project sets come first.
    :param workspace: the project, if any.
    :param cache: the cache as typed.
    :raises UsageError: one is no address.
    """
    from nixgen.cache.push.upstream import Upstream
    from nixgen.verbs import caches

    parsed = [Upstream.parse(text) for text in given]
    if any(each.url is None for each in parsed):
        raise UsageError(
            "a public key is no upstream that can be asked",
            hint="give its address, such as https://cache.nixos.org",
        )
    _, known = caches.cache_defaults(workspace, cache)
    return tuple(dict.fromkeys(each.url for each in (*known, *parsed) if each.url))
