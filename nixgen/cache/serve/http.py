"""``nixgen cache serve``: a read-only HTTP binary cache in front of a bucket.

It serves every Nix: many are built without ``s3://`` stores, and a daemon does not have the user's
credentials. waitress speaks HTTP; `nixgen.cache.serve.application` answers.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.names import CACHE_INFO
from nixgen.cache.serve.application import logged, make_application
from nixgen.cache.serve.embedded import ADDRESS, announced, embedded_s3, served_at
from nixgen.errors import CacheError, UsageError

__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_URL",
    "CacheServer",
    "serve_until_interrupted",
    "url_of",
]

DEFAULT_PORT = 8040
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"

_THREADS = 16
_CONNECTIONS = 500
# Most bytes that wait for a slow client; waitress writes more than a megabyte to a file.
_BUFFERED = 1 << 20
_STOP_SECONDS = 0.5


class CacheServer:
    """A running server, which stops at the end of its block.

    :param location: the cache.
    :param host: the address to listen on. Everybody who reaches it can read the whole cache.
    :param port: 0 takes a free one.
    :param public_keys: ``name:base64``; the page at ``/`` shows them.
    :param log: called with one line for each request, from any thread.
    :raises CacheError: the address is taken.
    :ivar url: its URL on this computer, for ``--substituters`` and ``--from``.
    :ivar public: whether other computers can reach it.
    :ivar port: the port that it listens on.
    """

    def __init__(
        self,
        location: CacheLocation,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        public_keys: Sequence[str] = (),
        log: Callable[[str], None] | None = None,
    ) -> None:
        from waitress.server import create_server
        from waitress.wasyncore import close_all

        # They warn when there are more requests than threads, which is normal here.
        for name in ("waitress", "waitress.queue"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._sockets: dict[int, Any] = {}
        self._bucket = Bucket(location, connections=_THREADS)
        application = make_application(self._bucket, public_keys)
        try:
            # One address, also for a name with several. waitress then makes a TcpWSGIServer, which
            # its published types do not describe.
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
            server: Any = create_server(
                application if log is None else logged(application, log),
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Return when the server ends, or at Ctrl-C."""
        self._thread.join()

    def stop(self) -> None:
        """Close every connection. Running requests get half a second to end."""
        from waitress.wasyncore import close_all

        self._server.task_dispatcher.shutdown(timeout=_STOP_SECONDS)
        # Runs in the thread of the loop, which ends when it has no sockets.
        self._server.trigger.pull_trigger(lambda: close_all(self._sockets))
        self._thread.join(timeout=5)
        self._bucket.close()


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
    """Serve a cache until Ctrl-C; then stop everything and return.

    :param cache: the address of a cache; None with ``embedded``.
    :param embedded: the folder of an emulator. One that runs there already is used, else one is
        started, which other processes find (`nixgen.cache.serve.embedded.served_at`).
    :param host: the address to listen on.
    :param port: 0 takes a free one.
    :param announce: called with lines for people.
    :param public_keys: ``name:base64``, to show to users.
    :param verbose: announce every request, too.
    :raises UsageError: both or neither of ``cache`` and ``embedded`` are given, or the address is
        not valid.
    :raises CacheError: a port is taken, the emulator does not start, or the bucket cannot be read.
    """
    if (cache is None) == (embedded is None):
        raise UsageError(
            "give either the address of a cache or --embedded DIR",
            hint="for example: nixgen cache serve --embedded .nixgen/cache",
        )
    with contextlib.ExitStack() as stack:
        if embedded is None:
            location = CacheLocation.parse(cache or "")
        elif running := served_at(embedded):
            location = running
        else:
            location = stack.enter_context(embedded_s3(embedded))
            stack.enter_context(announced(embedded / ADDRESS, str(location)))
        with Bucket(location, connections=1) as bucket:
            # Fail now when the bucket is missing, or cannot be reached or read.
            bucket.read(CACHE_INFO)
        if embedded is not None:
            announce(f"push to it: nixgen cache push --to '{location}'")
        server = stack.enter_context(
            CacheServer(
                location,
                host=host,
                port=port,
                public_keys=public_keys,
                log=announce if verbose else None,
            )
        )
        if embedded is not None:
            stack.enter_context(announced(embedded / _URL, server.url))
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


#: The file beside the objects of a running emulator with the URL of its HTTP server.
_URL = ".served-url"


def url_of(directory: Path) -> str | None:
    """The URL at which another process serves an emulator over HTTP; None when none does.

    :param directory: the folder of the emulator.
    """
    with contextlib.suppress(OSError):
        if served_at(directory) is not None:
            return (directory / _URL).read_text()
    return None
