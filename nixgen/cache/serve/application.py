"""The HTTP cache as a WSGI application: it reads objects of a bucket, and writes nothing.

Bodies are streamed, and S3 itself answers range requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import quote

from attrs import frozen
from botocore.exceptions import ClientError

from nixgen.cache.bucket.bucket import Bucket, Download
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.s3_errors import error_code, s3_errors
from nixgen.cache.format.names import NARS, content_type
from nixgen.errors import CacheError

__all__ = ["Application", "logged", "make_application"]

# The objects of a binary cache. Other objects of the bucket are not served.
_WORD = r"[A-Za-z0-9+._?=!:@~-]+"
_NAMES = re.compile(
    r"nix-cache-info|flake-registry\.json"
    r"|[0-9a-z]{32}\.(narinfo|ls)"
    rf"|(nar|log|realisations|build-trace-v2|debuginfo|channels)/{_WORD}(/{_WORD})*"
)
_CHANNEL = re.compile(rf"channels/({_WORD})/?")
_RANGE = re.compile(r"bytes=([0-9]+-[0-9]*|-[0-9]+)")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-f:]+\](:[0-9]+)?")

_StartResponse = Callable[..., Any]
_Headers = list[tuple[str, str]]
Application: TypeAlias = Callable[[dict[str, Any], _StartResponse], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""


@frozen(kw_only=True)
class _Request:
    """The request of a client.

    :param name: of the object.
    :param head: whether it is a HEAD request.
    :param byte_range: in S3's form; None for the whole object.
    :param range_if: the tag of the object that the range is meant for (RFC 9110, 13.1.5).
    :param unless: tags of objects that the client has already (13.1.2).
    """

    name: str
    head: bool
    byte_range: str | None
    range_if: str | None
    unless: tuple[str, ...]

    @classmethod
    def read(cls, name: str, environ: dict[str, Any]) -> _Request:
        # Ranges in other forms (several at once) may be answered with the whole file: 14.2.
        byte_range = environ.get("HTTP_RANGE", "")
        tags = environ.get("HTTP_IF_NONE_MATCH", "").split(",")
        return cls(
            name=name,
            head=environ["REQUEST_METHOD"] == "HEAD",
            byte_range=byte_range if _RANGE.fullmatch(byte_range) else None,
            range_if=environ.get("HTTP_IF_RANGE"),
            unless=tuple(tag.strip().removeprefix("W/") for tag in tags if tag.strip()),
        )


def make_application(bucket: Bucket, public_keys: Sequence[str]) -> Application:
    """The WSGI application for one cache.

    :param bucket: the cache.
    :param public_keys: ``name:base64``; the page at ``/`` shows them.
    """

    def answer(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer_text(
                start, HTTPStatus.METHOD_NOT_ALLOWED, "read only", [("Allow", "GET, HEAD")]
            )
        # The path is decoded: an encoded slash or dot is one here.
        name = environ["PATH_INFO"].removeprefix("/")
        if not name:
            return _answer_text(start, HTTPStatus.OK, _page(environ, public_keys))
        if channel := _CHANNEL.fullmatch(name):
            # nix-channel requests the channel itself before its tarball.
            name = f"channels/{channel[1]}/index.html"
        if not _NAMES.fullmatch(name) or {".", ".."} & set(name.split("/")):
            return _answer_text(start, HTTPStatus.NOT_FOUND, "no such file")
        try:
            return _answer(bucket, _Request.read(name, environ), start)
        except CacheError as error:
            return _answer_text(start, HTTPStatus.BAD_GATEWAY, error.message)

    return answer


def _answer(bucket: Bucket, request: _Request, start: _StartResponse) -> Iterable[bytes]:
    byte_range = request.byte_range
    if request.head or request.unless or (byte_range and request.range_if):
        held = bucket.head(request.name)
        if held is None:
            return _answer_text(start, HTTPStatus.NOT_FOUND, "no such file")
        if held.etag in request.unless or "*" in request.unless:
            start(_status(HTTPStatus.NOT_MODIFIED), [("ETag", held.etag)])
            return []
        if request.head:
            start(_status(HTTPStatus.OK), _headers(request.name, held.size, held.etag))
            return []
        if request.range_if not in (None, held.etag):
            byte_range = None
    try:
        found = bucket.get(request.name, byte_range=byte_range)
    except CacheError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) in ("InvalidRange", "416"):
            held = bucket.head(request.name)
            size = [("Content-Range", f"bytes */{held.size}")] if held else []
            return _answer_text(
                start, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "beyond the end", size
            )
        raise
    if found is None:
        return _answer_text(start, HTTPStatus.NOT_FOUND, "no such file")
    headers = _headers(request.name, found.size, found.etag)
    status = HTTPStatus.OK
    if found.content_range is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers.append(("Content-Range", found.content_range))
    start(_status(status), headers)
    return _Body(bucket.location, request.name, found)


class _Body:
    """A download as the body of an answer.

    The server closes it, also when the client leaves early.
    """

    def __init__(self, location: CacheLocation, name: str, download: Download) -> None:
        self._location = location
        self._name = name
        self._download = download

    def __iter__(self) -> Iterator[bytes]:
        with s3_errors(self._location, f"read {self._name}"):
            yield from self._download.chunks()

    def close(self) -> None:
        self._download.close()


def _headers(name: str, size: int, etag: str) -> _Headers:
    return [
        ("Content-Type", "application/x-nix-nar" if name.startswith(NARS) else content_type(name)),
        ("Content-Length", str(size)),
        ("ETag", etag),
        ("Accept-Ranges", "bytes"),
    ]


def _page(environ: dict[str, Any], public_keys: Sequence[str]) -> str:
    """The instructions for users, with the host name that the client used."""
    host = environ.get("HTTP_HOST", "")
    url = f"http://{host}" if _HOST.fullmatch(host) else "http://THIS-SERVER"
    keys = " ".join(public_keys) or "THE-PUBLIC-KEY-OF-THE-CACHE"
    return (
        "A binary cache of Nix, served by nixgen. Put into nix.conf:\n\n"
        f"  extra-substituters = {url}\n"
        f"  extra-trusted-public-keys = {keys}\n\n"
        f"Its channels, if it has any: {url}/flake-registry.json"
    )


def logged(application: Application, log: Callable[[str], None]) -> Application:
    """Log each answer when it begins: client, request, status, length.

    :param application: the application that answers.
    :param log: called with one line for each answer, from any thread.
    """

    def answer(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
        def start_and_log(status: str, headers: _Headers, *more: Any) -> Any:
            size = dict(headers).get("Content-Length", "-")
            log(
                f"{environ.get('REMOTE_ADDR', '-')} {environ['REQUEST_METHOD']}"
                f" {quote(environ['PATH_INFO'])} {status.partition(' ')[0]} {size}"
            )
            return start(status, headers, *more)

        return application(environ, start_and_log)

    return answer


def _status(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def _answer_text(
    start: _StartResponse, status: HTTPStatus, text: str, headers: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    start(
        _status(status),
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *headers,
        ],
    )
    return [body]
