"""An image registry in memory, on loopback: the push half of the distribution specification."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from attrs import define, field


@define
class MemoryRegistry:
    """The state of the registry, and how it misbehaves.

    :param host: ``127.0.0.1:PORT``.
    :param blobs: bytes by digest.
    :param manifests: media type and bytes by ``REPOSITORY:TAG``.
    :param requests: method and path of each request.
    :param refuse: status and text for the requests of a method.
    :param relative: answer an upload with a location that has no host and no query.
    """

    host: str = ""
    blobs: dict[str, bytes] = field(factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(factory=dict)
    requests: list[tuple[str, str]] = field(factory=list)
    refuse: dict[str, tuple[int, str]] = field(factory=dict)
    relative: bool = False


def _handler(state: MemoryRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, text: str = "", **headers: str) -> None:
            body = text.encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.requests.append((self.command, self.path))
            url = urlsplit(self.path)
            parts = url.path.split("/")
            kind, last = parts[-2:]
            if self.command in state.refuse:
                self.answer(*state.refuse[self.command])
            elif self.command == "HEAD":
                self.answer(200 if last in state.blobs else 404)
            elif self.command == "POST":
                place = f"{url.path}upload-1"
                self.answer(
                    202,
                    Location=place if state.relative else f"http://{state.host}{place}?state=s",
                )
            elif kind == "manifests":
                repository = "/".join(parts[2:-2])
                state.manifests[f"{repository}:{last}"] = (self.headers["Content-Type"], body)
                self.answer(201)
            else:
                (digest,) = parse_qs(url.query)["digest"]
                good = digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
                if good and self.headers["Content-Type"] == "application/octet-stream":
                    state.blobs[digest] = body
                self.answer(201 if digest in state.blobs else 400, "digest does not match")

        do_HEAD = do_POST = do_PUT = serve  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    return Handler


@contextmanager
def memory_registry() -> Iterator[MemoryRegistry]:
    """A registry that serves as long as the block runs."""
    state = MemoryRegistry()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(state)) as server:
        server.daemon_threads = True
        state.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
