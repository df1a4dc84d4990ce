"""``nixgen cache serve``: a read-only HTTP binary cache in front of a bucket.

For every Nix: many are built without ``s3://`` stores, and a daemon has no credentials of the user's. Bodies are
streamed; ranges are S3's own. waitress does HTTP; what is here is a WSGI application and its owner.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from nixgen.cache.embedded import announced, embedded_s3
from nixgen.cache.faults import error_code, s3_errors
from nixgen.cache.location import CacheLocation
from nixgen.cache.s3 import Bucket, Download
from nixgen.errors import CacheError, UsageError

__all__ = ["CacheServer", "serve", "serve_until_interrupted"]

_THREADS = 16

# What a binary cache consists of; anything else in the bucket is nobody's business.
_NAMES = re.compile(
    r"nix-cache-info"
    r"|[0-9a-z]{32}\.(narinfo|ls)"
    r"|(nar|log|realisations|build-trace-v2|debuginfo)/[^/]+(/[^/]+)*"
)
_RANGE = re.compile(r"bytes=([0-9]+-[0-9]*|-[0-9]+)")
_TYPES = {"narinfo": "text/x-nix-narinfo", "nix-cache-info": "text/x-nix-cache-info"}

_StartResponse = Callable[..., Any]
_Headers = list[tuple[str, str]]


class CacheServer:
    """A running server; `serve` makes them.

    :ivar url: for ``--substituters`` and ``--from``.
    """

    def __init__(self, location: CacheLocation, host: str, port: int) -> None:
        from waitress.server import create_server
        from waitress.wasyncore import close_all

        self._sockets: dict[int, Any] = {}
        self._bucket = Bucket(location, connections=_THREADS)
        try:
            # One address, also of a name with several: waitress then makes a TcpWSGIServer, of which
            # its published types know too little to be used here.
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
            server: Any = create_server(
                _application(self._bucket),
                map=self._sockets,
                host=str(address),
                port=port,
                threads=_THREADS,
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
        shown = f"[{address}]" if ":" in str(address) else address
        self.url = f"http://{shown}:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._server.run, name="cache-serve", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the server ends or Ctrl-C."""
        self._thread.join()

    def stop(self) -> None:
        """Accept no more, and close every connection; requests on their way get five seconds."""
        from waitress.wasyncore import close_all

        self._server.task_dispatcher.shutdown(timeout=5)
        # In the loop's own thread; the loop ends when it has no sockets.
        self._server.trigger.pull_trigger(lambda: close_all(self._sockets))
        self._thread.join(timeout=5)
        self._bucket.close()


@contextlib.contextmanager
def serve(
    location: CacheLocation, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[CacheServer]:
    """A server for the length of the block.

    :param host: the address to listen on; whoever reaches it can read the whole cache.
    :param port: 0 takes a free one.
    :raises CacheError: the address is taken.
    """
    server = CacheServer(location, host, port)
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
) -> None:
    """What ``nixgen cache serve`` does: returns after Ctrl-C, with everything stopped.

    :param cache: an address; or None, and ``embedded`` is where an emulator, started here, keeps its
        objects; pushes to that folder find it (`nixgen.cache.embedded.served_at`).
    :param announce: called with lines for people.
    :raises UsageError: both or neither are given, or the address is none.
    :raises CacheError: a port is taken, or the emulator does not start.
    """
    if (cache is None) == (embedded is None):
        raise UsageError(
            "give either the address of a cache or --embedded DIR",
            hint="for example: nixgen cache serve --embedded .nixgen/cache",
        )
    with contextlib.ExitStack() as stack:
        if embedded is None:
            location = CacheLocation.parse(cache or "")
        else:
            location = stack.enter_context(embedded_s3(embedded))
            stack.enter_context(announced(embedded, location))
            announce(f"S3 emulator: push with --to '{location}', or without --to")
        server = stack.enter_context(serve(location, host=host, port=port))
        announce(f"binary cache: use with --option extra-substituters {server.url}")
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()


def _application(
    bucket: Bucket,
) -> Callable[[dict[str, Any], _StartResponse], Iterable[bytes]]:
    def answer(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        name = environ["PATH_INFO"].removeprefix("/")
        if method not in ("GET", "HEAD"):
            return _say(start, HTTPStatus.METHOD_NOT_ALLOWED, "read only", [("Allow", "GET, HEAD")])
        if not _NAMES.fullmatch(name) or ".." in name.split("/"):
            return _say(start, HTTPStatus.NOT_FOUND, "no such file")
        try:
            if method == "HEAD":
                return _head(bucket, name, start)
            return _get(bucket, name, environ.get("HTTP_RANGE"), start)
        except CacheError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and error_code(cause) in ("InvalidRange", "416"):
                return _say(start, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "beyond the end")
            return _say(start, HTTPStatus.BAD_GATEWAY, error.message)

    return answer


def _head(bucket: Bucket, name: str, start: _StartResponse) -> Iterable[bytes]:
    found = bucket.head(name)
    if found is None:
        return _say(start, HTTPStatus.NOT_FOUND, "no such file")
    start(_status(HTTPStatus.OK), _headers(name, found.size))
    return []


def _get(bucket: Bucket, name: str, asked: str | None, start: _StartResponse) -> Iterable[bytes]:
    # Ranges in other forms (several at once) may be answered with the whole file: RFC 9110, 14.2.
    byte_range = asked if asked is not None and _RANGE.fullmatch(asked) else None
    found = bucket.get(name, byte_range=byte_range)
    if found is None:
        return _say(start, HTTPStatus.NOT_FOUND, "no such file")
    headers = _headers(name, found.size)
    status = HTTPStatus.OK
    if found.content_range is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers.append(("Content-Range", found.content_range))
    start(_status(status), headers)
    return _Body(bucket.location, name, found)


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


def _headers(name: str, size: int) -> _Headers:
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return [
        ("Content-Type", kind),
        ("Content-Length", str(size)),
        ("Accept-Ranges", "bytes"),
    ]


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
