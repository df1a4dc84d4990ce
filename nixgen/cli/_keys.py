"""Projects, public keys and upstreams as people give them to ``nixgen cache``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.errors import UsageError

if TYPE_CHECKING:
    from nixgen.cache.format.signing import PublicKey, SecretKey
    from nixgen.project.workspace import Workspace

__all__ = ["open_workspace", "public_keys", "secret_keys", "upstream_urls"]


def open_workspace(project: Path, cache: str | None) -> Workspace | None:
    """The project; None when there is none and ``cache`` is an address, which says all.

    :raises InputError: the project is wrong, or needed and not there.
    """
    from nixgen.project.workspace import Workspace

    if cache is not None and "://" in cache and not (project / "infra.py").exists():
        return None
    return Workspace.open(project)


def public_keys(
    given: Iterable[str],
    workspace: Workspace | None,
    cache: str | None,
    *,
    option: str,
    optional: bool = False,
) -> tuple[PublicKey, ...]:
    """Keys as ``name:base64``, or files that hold one; when none are given what the project says of ``cache``, or its own key.

    :param option: that gives them, for the hint.
    :param optional: none are fine.
    :raises UsageError: one is no key, or there are none at all.
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


def secret_keys(given: Iterable[Path], workspace: Workspace | None) -> tuple[SecretKey, ...]:
    """The keys in files, or the project's own.

    :raises UsageError: there are none; or a file is missing, open to others, or no key.
    """
    from nixgen.cache.format.signing import SecretKey
    from nixgen.verbs import caches

    paths = [*given]
    if not paths and workspace is not None:
        paths = [caches.signing_key(workspace)]
    if not paths:
        raise UsageError(
            "without a project there is no key to sign with",
            hint="give one with --key FILE; make one with: nixgen cache keygen NAME",
        )
    return tuple(map(SecretKey.load, paths))


def _text(given: str) -> str:
    try:
        return Path(given).read_text() if Path(given).is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the public key {given}: {error}") from error


def upstream_urls(
    given: Iterable[str], workspace: Workspace | None, cache: str | None
) -> tuple[str, ...]:
    """Addresses of the caches that clients use beside ``cache``: those of the project's model, and ``given``.

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
