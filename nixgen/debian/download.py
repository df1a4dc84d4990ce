"""Getting a file from the first mirror that has it."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterable

from nixgen.debian.mirrors import Mirrors
from nixgen.errors import MirrorError

__all__ = ["fetch", "fetch_verified"]

_SECONDS = 60.0
_LIMIT = 256 * 1024 * 1024
_REACH = "check the network, or set NIXGEN_DEBIAN_MIRROR to another mirror's URL, ending in /debian"
_SUPERSEDED = "a point release may have superseded it; run `nixgen inputs update debian` to lock what is there now"


def _get(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise urllib.error.URLError("only http and https mirrors are read")
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the scheme is checked above
        data: bytes = answer.read(_LIMIT)
        return data


def fetch(urls: Iterable[str], *, what: str) -> tuple[str, bytes]:
    """The URL that answered, and its bytes; not verified.

    :raises MirrorError: no URL has it (the hint speaks of superseded files), or none can be reached.
    """
    missing, failures = 0, []
    for url in urls:
        try:
            return url, _get(url)
        except urllib.error.HTTPError as error:
            missing += error.code in {404, 410}
            failures.append(f"{url}: {error.code} {error.reason}")
            error.close()
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            failures.append(f"{url}: {getattr(error, 'reason', error)}")
    if failures and missing == len(failures):
        raise MirrorError(f"no mirror has {what}", hint=_SUPERSEDED, details=failures)
    raise MirrorError(f"{what} cannot be downloaded", hint=_REACH, details=failures)


def fetch_verified(mirrors: Mirrors, archive: str, path: str, sha256: str, *, what: str) -> bytes:
    """A file of an archive, whose hash is known.

    :raises MirrorError: unreachable, missing everywhere, or different from what was locked.
    """
    wrong: list[str] = []
    for base in mirrors.of(archive):
        try:
            url, data = fetch([f"{base}/{path}"], what=what)
        except MirrorError as error:
            if base == mirrors.of(archive)[-1] and not wrong:
                raise
            wrong.extend(error.details)
            continue
        found = hashlib.sha256(data).hexdigest()
        if found == sha256:
            return data
        wrong.append(f"{url}: sha256 is {found}, the lock says {sha256}")
    raise MirrorError(f"no mirror has {what} as it was locked", hint=_SUPERSEDED, details=wrong)
