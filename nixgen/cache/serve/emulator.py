"""The process of the S3 emulator: ``python -m nixgen.cache.serve.emulator PORT [DIR]``.

Only `nixgen.cache.serve.embedded` starts it. It serves moto's S3 on loopback, on a free port when
PORT is 0, and prints the port. It ends when its standard input closes, so that it cannot outlive
its owner. moto keeps objects in memory (those beyond 16 MiB in unnamed temporary files). With DIR
every object is also written to ``DIR/<bucket>/<key>``, and read at the next start.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

__all__ = ["installed", "main"]

_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def installed() -> bool:
    """Whether the extra ``emulator`` is installed, with everything that moto's server imports.

    Debian's package of moto lacks the latter.
    """
    return all(find_spec(name) is not None for name in ("moto", "flask", "flask_cors"))


def main() -> None:
    """Serve until standard input ends."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "emulator")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "emulator")
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        # Keep-alive: without it every request of a push opens a connection.
        protocol_version = "HTTP/1.1"
        # With Nagle's algorithm, headers and body of an answer come 40 ms apart.
        disable_nagle_algorithm = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Log nothing."""

    application: _Application = create_backend_app("s3")
    port, *directories = sys.argv[1:]
    if directories:
        directory = Path(directories[0])
        _load(directory)
        application = _write_through(application, directory)
    server = make_server(
        "127.0.0.1", int(port), application, threaded=True, request_handler=Handler
    )
    # A client that keeps its connection must not keep the process running.
    server.daemon_threads = True  # type: ignore[attr-defined]  # the class of the server is known at run time
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.buffer.read()
    server.shutdown()


def _backend() -> Any:
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _load(directory: Path) -> None:
    backend = _backend()
    for bucket in sorted(path for path in directory.iterdir() if path.is_dir()):
        backend.create_bucket(bucket.name, "us-east-1")
        for name in sorted(_files(bucket)):
            file = bucket / name
            stored = backend.put_object(bucket.name, name, file.read_bytes())
            # Collection goes by age. moto wants UTC without a time zone.
            written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            stored.last_modified = written.replace(tzinfo=None)


def _write_through(application: _Application, directory: Path) -> _Application:
    """Write every changed object to its file before the request is answered."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = application(environ, start_response)
        if environ["REQUEST_METHOD"] in ("PUT", "POST", "DELETE"):
            # WSGI gives the path as Latin-1.
            path = unquote(environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"))
            bucket, _, key = path.lstrip("/").partition("/")
            changed = [key] if key else []
            if "delete" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True):
                changed = list(_files(directory / bucket))
            for name in changed:
                _mirror(directory, bucket, name)
            if bucket and not key and environ["REQUEST_METHOD"] == "PUT":
                _inside(directory, bucket).mkdir(parents=True, exist_ok=True)
        return answer

    return serve


def _files(bucket: Path) -> Iterator[str]:
    # A temporary file is an object that another thread is writing: without it that would fail.
    return (
        path.relative_to(bucket).as_posix()
        for path in bucket.rglob("*")
        if path.is_file() and not path.name.startswith(".tmp-")
    )


def _inside(directory: Path, *names: str) -> Path:
    path = Path(os.path.normpath(directory.joinpath(*names)))
    if not path.is_relative_to(directory):
        raise ValueError(f"{path} lies outside {directory}")
    return path


def _mirror(directory: Path, bucket: str, key: str) -> None:
    file = _inside(directory, bucket, key)
    held = _backend().buckets.get(bucket)
    found = None if held is None else held.keys.get(key)
    if found is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".tmp-", dir=file.parent)
    with os.fdopen(descriptor, "wb") as out:
        out.write(found.value)
    Path(temporary).replace(file)


if __name__ == "__main__":
    main()
