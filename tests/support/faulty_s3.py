"""The loopback store of the benchmarks (bench/store_server.py) as a test's S3: it fails on request and tells what it was asked."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import PublicKey
from nixgen.store.digest import Hash

__all__ = ["FaultyS3", "faulty_s3"]

_PROGRAM = Path(__file__).parents[2] / "bench" / "store_server.py"

BUCKET = "cache"


@frozen(kw_only=True)
class FaultyS3:
    port: int

    @property
    def location(self) -> CacheLocation:
        return CacheLocation.parse(self.address)

    @property
    def address(self) -> str:
        return f"s3://{BUCKET}?endpoint=http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """For a stock Nix: the same objects over plain HTTP."""
        return f"http://127.0.0.1:{self.port}/{BUCKET}"

    def configure(self, **change: Any) -> None:
        """The fields of the server's `Settings`; ``clear=True`` for an empty store."""
        self._ask("configure", json.dumps(change).encode())

    def state(self) -> dict[str, Any]:
        """``{"requests": {method: n}, "log": [[method, target, status]], "injected": {fault: n}}``."""
        return dict(self._ask("state"))

    def objects(self) -> dict[str, dict[str, Any]]:
        """``{key: {"size": n, "sha256": hex, "text": … | None}}``."""
        return dict(self._ask(f"objects/{BUCKET}"))

    def stored_nars(self) -> list[str]:
        """The names of NARs in the order in which the server has stored them, once for each time."""
        names = []
        for method, target, status in self.state()["log"]:
            path, _, query = target.partition("?")
            key = path.removeprefix(f"/{BUCKET}/")
            whole = method == "PUT" and not query
            completed = method == "POST" and "uploadId=" in query
            if status == 200 and key.startswith("nar/") and (whole or completed):
                names.append(key)
        return names

    def check(self, key: PublicKey) -> dict[str, NarInfo]:
        """Fail unless the cache is one: every narinfo is signed, and its NAR and the narinfos of its references are there.

        :returns: the narinfos by name.
        """
        objects = self.objects()
        narinfos = {
            name: NarInfo.parse(found["text"])
            for name, found in objects.items()
            if name.endswith(".narinfo")
        }
        for name, info in narinfos.items():
            assert info.url in objects, f"{name} names a NAR that is not there"
            nar = objects[info.url]
            assert info.file_size == nar["size"], name
            if info.file_hash is not None:
                assert info.file_hash == Hash("sha256", bytes.fromhex(nar["sha256"])), name
            lost = {narinfo_name(path) for path in info.references} - narinfos.keys()
            assert not lost, f"{name} refers to {lost}, which are not there"
            assert key.verifies(info.fingerprint, info.signatures), name
        return narinfos

    def _ask(self, what: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/-/{what}", body, timeout=60
        ) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def faulty_s3(*arguments: str) -> Iterator[FaultyS3]:
    """A server of its own with an empty bucket, gone at the end of the block."""
    with subprocess.Popen(
        [sys.executable, _PROGRAM, "--bucket", BUCKET, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield FaultyS3(port=int(server.stdout.readline()))
        finally:
            server.stdin.close()
            server.wait(30)
