"""Download a file from the first mirror that has it."""

from __future__ import annotations

import hashlib
import http.client
import io
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, BinaryIO, TypeVar
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from nixgen.debian.lock import Locked
from nixgen.debian.mirrors import Mirrors
from nixgen.errors import MirrorError
from nixgen.programs.observer import ignore

__all__ = ["Absent", "AbsentError", "fetch", "fetch_verified", "find_absent", "save_verified"]

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
#: Seconds until a file is asked for again, after an error that may pass.
PAUSES = (1.0, 3.0)
_WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
_REACH = "check the network, or set NIXGEN_DEBIAN_MIRROR to another mirror's URL, ending in /debian"
_SUPERSEDED = "a point release may have superseded it; run `nixgen inputs update debian` to lock the new version"


class _SameServer(urllib.request.HTTPRedirectHandler):
    """Follow redirects on the same server alone, so that no other one is asked than was named."""

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See `urllib.request.HTTPRedirectHandler`."""
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        upgrade = (here.scheme, there.scheme) == ("http", "https") and not (here.port or there.port)
        same = there.hostname == here.hostname and (upgrade or _port(here) == _port(there))
        if there.scheme in {"http", "https"} and not same:
            raise OSError(
                f"redirects to {newurl}, another server, and only the mirror that was named is asked"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _web() -> urllib.request.OpenerDirector:
    """An opener of http and https only, which stays on the server that was named: no mirror can
    redirect to a file of this computer.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        _SameServer,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _get(url: str) -> bytes:
    data = bytearray()
    _receive(url, data.extend, most=_LIMIT)
    return bytes(data)


def _receive(url: str, take: Callable[[bytes], object], *, most: int) -> None:
    """Download a file piece by piece.

    :param take: gets each piece.
    :param most: the most bytes that it may have.
    :raises OSError: the server is too slow, or what comes is no such file.
    """
    began = time.monotonic()
    with _web().open(url, timeout=SILENCE) as answer:
        _require_file(answer)
        promised = answer.headers.get("Content-Length", "")
        received = 0
        # read1 returns what has come, so that a slow mirror is noticed before a piece is complete
        while piece := answer.read1(_PIECE):
            if not received and _WEB_PAGE.match(piece):
                raise _WebPageError
            received += len(piece)
            _require_pace(received, time.monotonic() - began, most)
            take(piece)
    # more digits than those of a size are no promise
    if promised.isdigit() and len(promised) < 20 and received < int(promised):
        raise _TornError(f"the connection ended after {received} of {promised} bytes")
    if not received:
        raise OSError("sent an empty file")


def _require_file(answer: http.client.HTTPResponse) -> None:
    """Check that an answer is a whole file.

    :raises OSError: it is a part, nothing, or a web page.
    """
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"answered {answer.status} {answer.reason}, which is not a whole file")
    if "Content-Type" in answer.headers and answer.headers.get_content_type() == "text/html":
        raise _WebPageError


def _require_pace(received: int, seconds: float, most: int) -> None:
    """Check the size and the speed of a download.

    :raises OSError: it is too large or too slow.
    """
    if received > most:
        raise OSError(f"sends more than {most} bytes")
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
    return _first(urls, _get, what)


def _first(urls: Iterable[str], question: Callable[[str], _T], what: str) -> tuple[str, _T]:
    """The answer of the first URL that has one."""
    failures = []
    for url in urls:
        answer = _ask(url, question)
        if not isinstance(answer, _Failure):
            return url, answer
        failures.append(answer)
    raise _error(failures, what)


def _error(failures: Sequence[_Failure], what: str) -> MirrorError:
    details = [failure.line for failure in failures]
    if failures and all(failure.is_gone for failure in failures):
        return AbsentError(f"no mirror has {what}", hint=_SUPERSEDED, details=details)
    if any(failure.is_other for failure in failures):
        text = f"no mirror has {what} as it was locked"
        return AbsentError(text, hint=_SUPERSEDED, details=details)
    return MirrorError(f"{what} cannot be downloaded", hint=_REACH, details=details)


class AbsentError(MirrorError):
    """The mirrors answer, and none has a file as it was locked."""


@frozen
class _Failure:
    """A URL that gave no answer.

    :param line: the URL and the reason.
    :param is_gone: the server answered that it has no such file.
    :param is_other: it has another file of that name.
    :param may_pass: the next try may succeed.
    """

    line: str
    is_gone: bool = False
    is_other: bool = False
    may_pass: bool = False


class _OtherFileError(Exception):
    """A file with another content than expected."""


class _WebPageError(OSError):
    def __init__(self) -> None:
        super().__init__("answered with a web page: is there a login page or a proxy in between?")


class _TornError(OSError):
    """A connection ended too early."""


def _ask(url: str, question: Callable[[str], _T]) -> _T | _Failure:
    """The answer of a URL. A question that a busy server did not answer is asked again."""
    for pause in (*PAUSES, None):
        failure = _ask_once(url, question)
        if not isinstance(failure, _Failure) or not failure.may_pass or pause is None:
            break
        time.sleep(pause)
    return failure


def _ask_once(url: str, question: Callable[[str], _T]) -> _T | _Failure:
    try:
        return question(url)
    except urllib.error.HTTPError as error:
        error.close()
        return _Failure(
            _line(url, f"{error.code} {error.reason}"),
            is_gone=error.code in {404, 410},
            may_pass=error.code in {429, 502, 503, 504},
        )
    except (_TornError, ConnectionResetError, http.client.RemoteDisconnected) as error:
        return _Failure(_line(url, error), may_pass=True)
    except _OtherFileError as error:
        return _Failure(_line(url, error), is_other=True)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        return _Failure(_line(url, getattr(error, "reason", error)))


_USER = re.compile(r"(?<=://)[^/@\s]*@")
_LONGEST_REASON = 300


def _line(url: str, reason: object) -> str:
    """One printable line about a URL. What a server sends may hold line breaks and commands of a
    terminal, and a URL a password.
    """
    words = " ".join(str(reason).split())[:_LONGEST_REASON]
    text = _USER.sub("", f"{url}: {words}")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def fetch_verified(mirrors: Mirrors, package: Locked, *, what: str) -> bytes:
    """Download a package, and verify its hash.

    :param mirrors: the mirrors to try.
    :param package: the package.
    :param what: its name in messages.
    :raises MirrorError: no mirror can be reached, has the file, or has it with that hash.
    """
    data = io.BytesIO()
    save_verified(mirrors, package, data, what=what)
    return data.getvalue()


def save_verified(
    mirrors: Mirrors,
    package: Locked,
    file: BinaryIO,
    *,
    what: str,
    tell: Callable[[int], object] = ignore,
) -> None:
    """Download a package into a file, and verify its hash.

    :param mirrors: the mirrors to try.
    :param package: the package.
    :param file: is overwritten.
    :param what: its name in messages.
    :param tell: gets the number of bytes so far after each piece.
    :raises MirrorError: see `fetch_verified`.
    """

    def attempt(url: str) -> None:
        file.seek(0)
        file.truncate()
        digest = hashlib.sha256()

        def take(piece: bytes) -> None:
            digest.update(piece)
            file.write(piece)
            tell(file.tell())

        _receive(url, take, most=package.size)
        if digest.hexdigest() != package.sha256:
            raise _OtherFileError(f"sha256 is {digest.hexdigest()}, the lock says {package.sha256}")

    _first((f"{base}/{package.path}" for base in mirrors.urls(package.archive)), attempt, what)


@frozen
class Absent:
    """A package that no mirror has as it was locked.

    :param name: its name in the lock.
    :param package: its entry in the lock.
    :param reason: what the mirrors have instead.
    """

    name: str
    package: Locked
    reason: str


def find_absent(
    mirrors: Mirrors, packages: Mapping[str, Locked], *, tell: Callable[[int], object] = ignore
) -> tuple[Absent, ...]:
    """Ask the mirrors for every package of a lock, without downloading any.

    :param mirrors: the mirrors.
    :param packages: name → the package.
    :param tell: gets the number of packages that were asked for, after each.
    :return: the packages that no mirror has any more, or has with another size, by name.
    :raises MirrorError: a mirror does not answer, so nothing is known.
    """
    found = []
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        reasons = pool.map(partial(_absence, mirrors), packages.values())
        for done, ((name, package), reason) in enumerate(
            zip(packages.items(), reasons, strict=True), 1
        ):
            tell(done)
            if reason:
                found.append(Absent(name, package, reason))
    return tuple(sorted(found, key=lambda each: each.name))


_ASKED_AT_ONCE = 8


def _absence(mirrors: Mirrors, package: Locked) -> str:
    """Why no mirror has a package as it was locked; empty if one has it."""
    failures = []
    for base in mirrors.urls(package.archive):
        size = _ask(f"{base}/{package.path}", _size)
        if not isinstance(size, _Failure):
            same = size in {"", str(package.size)}
            return "" if same else f"has {size} bytes instead of {package.size} on the mirror"
        if not size.is_gone:
            failures.append(size.line)
    if failures:
        raise MirrorError(
            f"the mirror does not say if it has {package.path}", hint=_REACH, details=failures
        )
    return "is no longer on the mirror"


def _size(url: str) -> str:
    """The size of a file as its server says it; empty when it does not."""
    question = urllib.request.Request(url, method="HEAD")  # noqa: S310 - `_web` opens http and https alone
    with _web().open(question, timeout=SILENCE) as answer:
        _require_file(answer)
        return str(answer.headers.get("Content-Length", ""))
