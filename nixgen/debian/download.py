"""Download a file from the first mirror that has it."""

from __future__ import annotations

import hashlib
import http.client
import posixpath
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from attrs import frozen

from nixgen.debian.lock import Locked
from nixgen.debian.mirrors import Mirrors
from nixgen.errors import MirrorError

__all__ = ["Absent", "fetch", "fetch_verified", "find_absent"]

_T = TypeVar("_T")

#: The most seconds until the connection is made, and between two pieces.
SILENCE = 30.0
#: The fewest bytes a second, on average, after the first `GRACE` seconds.
LEAST_RATE = 4096
GRACE = 15.0
#: The most seconds for a whole file.
DEADLINE = 1800.0

_LIMIT = 256 * 1024 * 1024
_PIECE = 64 * 1024
_REACH = "check the network, or set NIXGEN_DEBIAN_MIRROR to another mirror's URL, ending in /debian"
_SUPERSEDED = "a point release may have superseded it; run `nixgen inputs update debian` to lock the new version"


def _web() -> urllib.request.OpenerDirector:
    """An opener of http and https only: no mirror can redirect to a file of this computer."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _get(url: str) -> bytes:
    began = time.monotonic()
    with _web().open(url, timeout=SILENCE) as answer:
        kind = answer.headers.get_content_type() if "Content-Type" in answer.headers else ""
        if kind == "text/html":
            raise OSError("answered with a web page: is there a login page or a proxy in between?")
        promised = answer.headers.get("Content-Length", "")
        data = bytearray()
        # read1 returns what has come, so that a slow mirror is noticed before a piece is complete
        while piece := answer.read1(_PIECE):
            data += piece
            _require_pace(len(data), time.monotonic() - began)
    if promised.isdigit() and len(data) < int(promised):
        raise OSError(f"the connection ended after {len(data)} of {promised} bytes")
    return bytes(data)


def _require_pace(received: int, seconds: float) -> None:
    """Check the size and the speed of a download.

    :raises OSError: it is too large or too slow.
    """
    if received > _LIMIT:
        raise OSError(f"sends more than {_LIMIT} bytes")
    if seconds > DEADLINE:
        raise OSError(f"has not sent all of it within {DEADLINE:.0f} seconds")
    if seconds > GRACE and received < LEAST_RATE * seconds:
        raise OSError(f"sent {received} bytes in {seconds:.0f} seconds, which is too slow to go on")


def fetch(urls: Iterable[str], *, what: str) -> tuple[str, bytes]:
    """Download a file from the first URL that has it, without verifying it.

    :param urls: the URLs, in the order to try them.
    :param what: its name in messages.
    :return: the URL that answered, and the content.
    :raises MirrorError: no URL has it, or none can be reached.
    """
    failures = []
    for url in urls:
        answer = _ask(url, _get)
        if not isinstance(answer, _Failure):
            return url, answer
        failures.append(answer)
    details = [failure.line for failure in failures]
    if failures and all(failure.is_gone for failure in failures):
        raise MirrorError(f"no mirror has {what}", hint=_SUPERSEDED, details=details)
    raise MirrorError(f"{what} cannot be downloaded", hint=_REACH, details=details)


@frozen
class _Failure:
    """A URL that gave no answer.

    :param line: the URL and the reason.
    :param is_gone: the server answered that it has no such file.
    """

    line: str
    is_gone: bool


def _ask(url: str, question: Callable[[str], _T]) -> _T | _Failure:
    try:
        return question(url)
    except urllib.error.HTTPError as error:
        error.close()
        # the reason of a circle of redirects has several lines
        reason = " ".join(str(error.reason).split())
        return _Failure(f"{url}: {error.code} {reason}", is_gone=error.code in {404, 410})
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        return _Failure(f"{url}: {getattr(error, 'reason', error)}", is_gone=False)


def fetch_verified(mirrors: Mirrors, archive: str, path: str, sha256: str, *, what: str) -> bytes:
    """Download a file of an archive, and verify its hash.

    :param mirrors: the mirrors to try.
    :param archive: ``debian`` or ``debian-security``.
    :param path: the path below the URL of the archive.
    :param sha256: the hash in the lock.
    :param what: its name in messages.
    :raises MirrorError: no mirror can be reached, has the file, or has it with that hash.
    """
    wrong: list[str] = []
    for base in mirrors.urls(archive):
        try:
            url, data = fetch([f"{base}/{path}"], what=what)
        except MirrorError as error:
            if base == mirrors.urls(archive)[-1] and not wrong:
                raise
            wrong.extend(error.details)
            continue
        digest = hashlib.sha256(data).hexdigest()
        if digest == sha256:
            return data
        wrong.append(f"{url}: sha256 is {digest}, the lock says {sha256}")
    raise MirrorError(f"no mirror has {what} as it was locked", hint=_SUPERSEDED, details=wrong)


@frozen
class Absent:
    """A file of the lock that no mirror has as it was locked.

    :param file: its name.
    :param reason: what the mirrors have instead.
    """

    file: str
    reason: str


def find_absent(mirrors: Mirrors, packages: Iterable[Locked]) -> tuple[Absent, ...]:
    """Ask the mirrors for every package of a lock, without downloading any.

    :param mirrors: the mirrors.
    :param packages: the packages.
    :return: the packages that no mirror has any more, or has with another size, by name.
    :raises MirrorError: a mirror does not answer, so nothing is known.
    """
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        reasons = list(pool.map(partial(_absence, mirrors), wanted := list(packages)))
    found = (
        Absent(posixpath.basename(package.path), reason)
        for package, reason in zip(wanted, reasons, strict=True)
        if reason
    )
    return tuple(sorted(found, key=lambda each: each.file))


_ASKED_AT_ONCE = 8


def _absence(mirrors: Mirrors, package: Locked) -> str:
    """Why no mirror has a package as it was locked; empty if one has it."""
    failures = []
    for base in mirrors.urls(package.archive):
        size = _ask(f"{base}/{package.path}", _size)
        if not isinstance(size, _Failure):
            same = size in {"", str(package.size)}
            return "" if same else f"has {size} bytes instead of {package.size}"
        if not size.is_gone:
            failures.append(size.line)
    if failures:
        raise MirrorError(
            f"the mirror does not say if it has {package.path}", hint=_REACH, details=failures
        )
    return "is gone"


def _size(url: str) -> str:
    """The size of a file as its server says it; empty when it does not."""
    question = urllib.request.Request(url, method="HEAD")  # noqa: S310 - `_web` opens http and https alone
    with _web().open(question, timeout=SILENCE) as answer:
        return str(answer.headers.get("Content-Length", ""))
