"""``nixgen cache serve``: a read-only HTTP binary cache in front of a bucket.

For every Nix: many are built without ``s3://`` stores, and a daemon has no credentials of the user's. Bodies are
streamed; ranges are S3's own. waitress does HTTP; what is here is a WSGI application and its owner.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import frozen
from botocore.exceptions import ClientError

from nixgen.cache.bucket.bucket import Bucket, Download
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.s3_errors import error_code, s3_errors
from nixgen.cache.format.names import CACHE_INFO, NARS, content_type
from nixgen.cache.serve.embedded import announced, embedded_s3, served_at
from nixgen.errors import CacheError, UsageError
from nixgen.files.write import write_atomically

__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_URL",
    "CacheServer",
    "serve",
    "serve_until_interrupted",
    "url_of",
]

DEFAULT_PORT = 8040
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"

_THREADS = 16
_CONNECTIONS = 500
# Bytes of an answer that wait for a slow client, at most; beyond a megabyte waitress would write them to a file.
_BUFFERED = 1 << 20
_STOP_SECONDS = 0.5

# What a binary cache consists of; anything else in the bucket is nobody's business.
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
_Application = Callable[[dict[str, Any], _StartResponse], Iterable[bytes]]


class CacheServer:
    """A running server; `serve` makes them.

    :ivar url: for ``--substituters`` and ``--from`` on this computer.
    :ivar public: whether other computers may reach it.
    """

    def __init__(
        self,
        location: CacheLocation,
        host: str,
        port: int,
        *,
        public_keys: Sequence[str] = (),
        log: Callable[[str], None] | None = None,
    ) -> None:
        from waitress.server import create_server
        from waitress.wasyncore import close_all

        self._sockets: dict[int, Any] = {}
        self._bucket = Bucket(location, connections=_THREADS)
        application = _application(self._bucket, tuple(public_keys))
        try:
            # One address, also of a name with several: waitress then makes a TcpWSGIServer, of which
            # its published types know too little to be used here.
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
            server: Any = create_server(
                application if log is None else _logged(application, log),
                map=self._sockets,
                host=str(address),
                port=port,
                threads=_THREADS,
                connection_limit=_CONNECTIONS,
                outbuf_high_watermark=_BUFFERED,
                asyncore_use_poll=True,
                ident=None,
            )
        except (OSError, ValueError) as error:
            close_all(self._sockets)  # waitress leaves its own open
            self._bucket.close()
            raise CacheError(
                f"cannot listen on {host}:{port}: {error}",
                hint="give another address or port; port 0 takes a free one",
            ) from error
        self._server = server
        bound = ipaddress.ip_address(str(address).partition("%")[0])
        self.public = not bound.is_loopback
        local = bound
        if bound.is_unspecified:
            local = ipaddress.ip_address("::1" if bound.version == 6 else "127.0.0.1")
        self.port: int = server.effective_port
        self.url = f"http://{f'[{local}]' if local.version == 6 else local}:{self.port}"
        self._thread = threading.Thread(target=self._server.run, name="cache-serve", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the server ends or Ctrl-C."""
        self._thread.join()

    def stop(self) -> None:
        """Accept no more, and close every connection; requests on their way get half a second."""
        from waitress.wasyncore import close_all

        self._server.task_dispatcher.shutdown(timeout=_STOP_SECONDS)
        # In the loop's own thread; the loop ends when it has no sockets.
        self._server.trigger.pull_trigger(lambda: close_all(self._sockets))
        self._thread.join(timeout=5)
        self._bucket.close()


@contextlib.contextmanager
def serve(
    location: CacheLocation,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public_keys: Sequence[str] = (),
    log: Callable[[str], None] | None = None,
) -> Iterator[CacheServer]:
    """A server for the length of the block.

    :param host: the address to listen on; whoever reaches it can read the whole cache.
    :param port: 0 takes a free one.
    :param public_keys: ``name:base64``; the page at ``/`` tells them.
    :param log: called with a line for each request, from any thread.
    :raises CacheError: the address is taken.
    """
    server = CacheServer(location, host, port, public_keys=public_keys, log=log)
    try:
        yield server
    finally:
        server.stop()


def serve_until_interrupted(
    cache: str | None,
    *,
    embedded: Path | None,
    host: str,
    port: int,
    announce: Callable[[str], None],
    public_keys: Sequence[str] = (),
    verbose: bool = False,
) -> None:
    """What ``nixgen cache serve`` does: returns after Ctrl-C, with everything stopped.

    :param cache: an address; or None, and ``embedded`` is where an emulator keeps its objects: the one that runs there
        already, else one started here, that pushes to that folder find (`nixgen.cache.serve.embedded.served_at`).
    :param announce: called with lines for people.
    :param verbose: a line for each request, too.
    :raises UsageError: both or neither are given, or the address is none.
    :raises CacheError: a port is taken, the emulator does not start, or the bucket cannot be read.
    """
    if (cache is None) == (embedded is None):
        raise UsageError(
            "give either the address of a cache or --embedded DIR",
            hint="for example: nixgen cache serve --embedded .nixgen/cache",
        )
    # It warns whenever more clients ask than there are threads, which is as it should be.
    logging.getLogger("waitress").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        if embedded is None:
            location = CacheLocation.parse(cache or "")
        elif running := served_at(embedded):
            location = running
        else:
            location = stack.enter_context(embedded_s3(embedded))
            stack.enter_context(announced(embedded, location))
        with Bucket(location, connections=1) as bucket:
            # What cannot work should not seem to: no such bucket, no right to read it, nobody there.
            bucket.read(CACHE_INFO)
        if embedded is not None:
            announce(f"push to it: nixgen cache push --to '{location}'")
        server = stack.enter_context(
            serve(
                location,
                host=host,
                port=port,
                public_keys=public_keys,
                log=announce if verbose else None,
            )
        )
        if embedded is not None:
            stack.enter_context(_announced_url(embedded, server.url))
        keys = (
            f" --option extra-trusted-public-keys '{' '.join(public_keys)}'" if public_keys else ""
        )
        announce(f"use it:     nix-build{keys} --option extra-substituters {server.url}")
        if server.public:
            announce(
                f"warning: it listens on {host}: whoever reaches port {server.port} of this computer can read the whole cache"
            )
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()


#: Beside the objects of an emulator that is being served over HTTP: the server's URL.
_URL = ".served-url"


@contextlib.contextmanager
def _announced_url(directory: Path, url: str) -> Iterator[None]:
    write_atomically(directory / _URL, url.encode())
    try:
        yield
    finally:
        (directory / _URL).unlink(missing_ok=True)


def url_of(directory: Path) -> str | None:
    """Where another process serves the emulator of ``directory`` over HTTP; None when none does."""
    with contextlib.suppress(OSError):
        if served_at(directory) is not None:
            return (directory / _URL).read_text()
    return None


@frozen(kw_only=True)
class _Request:
    """What a client asks for.

    :param byte_range: as S3 takes it; None for everything.
    :param range_if: the tag that the range is meant for (RFC 9110, 13.1.5).
    :param unless: tags that the client has already (13.1.2).
    """

    name: str
    head: bool
    byte_range: str | None
    range_if: str | None
    unless: tuple[str, ...]

    @classmethod
    def of(cls, name: str, environ: dict[str, Any]) -> _Request:
        # Ranges in other forms (several at once) may be answered with the whole file: 14.2.
        asked = environ.get("HTTP_RANGE", "")
        tags = environ.get("HTTP_IF_NONE_MATCH", "").split(",")
        return cls(
            name=name,
            head=environ["REQUEST_METHOD"] == "HEAD",
            byte_range=asked if _RANGE.fullmatch(asked) else None,
            range_if=environ.get("HTTP_IF_RANGE"),
            unless=tuple(tag.strip().removeprefix("W/") for tag in tags if tag.strip()),
        )


def _application(bucket: Bucket, public_keys: tuple[str, ...]) -> _Application:
    def answer(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _say(start, HTTPStatus.METHOD_NOT_ALLOWED, "read only", [("Allow", "GET, HEAD")])
        # Decoded already: an encoded slash or dot is one here.
        name = environ["PATH_INFO"].removeprefix("/")
        if not name:
            return _say(start, HTTPStatus.OK, _page(environ, public_keys))
        if channel := _CHANNEL.fullmatch(name):
            # nix-channel asks for the channel itself before it asks for its tarball.
            name = f"channels/{channel[1]}/index.html"
        if not _NAMES.fullmatch(name) or {".", ".."} & set(name.split("/")):
            return _say(start, HTTPStatus.NOT_FOUND, "no such file")
        try:
            return _answer(bucket, _Request.of(name, environ), start)
        except CacheError as error:
            return _say(start, HTTPStatus.BAD_GATEWAY, error.message)

    return answer


def _answer(bucket: Bucket, request: _Request, start: _StartResponse) -> Iterable[bytes]:
    byte_range = request.byte_range
    if request.head or request.unless or (byte_range and request.range_if):
        held = bucket.head(request.name)
        if held is None:
            return _say(start, HTTPStatus.NOT_FOUND, "no such file")
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
            return _beyond(bucket, request.name, start)
        raise
    if found is None:
        return _say(start, HTTPStatus.NOT_FOUND, "no such file")
    headers = _headers(request.name, found.size, found.etag)
    status = HTTPStatus.OK
    if found.content_range is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers.append(("Content-Range", found.content_range))
    start(_status(status), headers)
    return _Body(bucket.location, request.name, found)


def _beyond(bucket: Bucket, name: str, start: _StartResponse) -> Iterable[bytes]:
    held = bucket.head(name)
    size = [("Content-Range", f"bytes */{held.size}")] if held else []
    return _say(start, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "beyond the end", size)


class _Body:
    """A download as WSGI reads it: the server closes it, also when the client leaves early."""

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
    """How to use the cache, under the name that the client knows it by."""
    host = environ.get("HTTP_HOST", "")
    url = f"http://{host}" if _HOST.fullmatch(host) else "http://THIS-SERVER"
    keys = " ".join(public_keys) or "THE-PUBLIC-KEY-OF-THE-CACHE"
    return (
        "A binary cache of Nix, served by nixgen. Put into nix.conf:\n\n"
        f"  extra-substituters = {url}\n"
        f"  extra-trusted-public-keys = {keys}\n\n"
        f"Its channels, if it has any: {url}/flake-registry.json"
    )


def _logged(application: _Application, log: Callable[[str], None]) -> _Application:
    """A line for each answer, when it begins: client, request, status, length."""

    def answer(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
        def noted(status: str, headers: _Headers, *more: Any) -> Any:
            size = dict(headers).get("Content-Length", "-")
            log(
                f"{environ.get('REMOTE_ADDR', '-')} {environ['REQUEST_METHOD']}"
                f" {quote(environ['PATH_INFO'])} {status.partition(' ')[0]} {size}"
            )
            return start(status, headers, *more)

        return application(environ, noted)

    return answer


def _status(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def _say(
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
