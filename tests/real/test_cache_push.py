"""A push to an S3, from which a stock Nix that requires signatures substitutes into an empty store."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.codec import CODECS, Codec
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import PublicKey, SecretKey
from nixgen.cache.push.events import CacheEvent, NarStored, Planned, Published
from nixgen.cache.push.push import CACHE_INFO, PushReport, push
from nixgen.cache.push.settings import UploadSettings
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.cache.serve.http import CacheServer
from nixgen.driver.store.store import Store
from nixgen.errors import VerifyError
from nixgen.programs.observer import ignore

pytestmark = pytest.mark.real

OPTIONS = ("--option", "build-users-group", "", "--option", "sandbox", "false")
KEY = SecretKey.generate("test-1")

# app → lib1..3 → base, big; `app` refers to itself; `big` is larger than one frame and than one part.
EXPRESSION = r"""
let
  make = name: script: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" ("PATH=/bin:/usr/bin; " + script) ];
  };
  base = make "cache-test-base" "mkdir $out; echo base > $out/file; ln -s file $out/link";
  big = make "cache-test-big" "seq 1 5000000 > $out";
  lib = number: make "cache-test-lib${number}" "echo ${number} ${base} > $out; chmod +x $out";
in make "cache-test-app" ''
  mkdir $out; echo ${lib "1"} ${lib "2"} ${lib "3"} ${big} $out > $out/references
''
"""


PUSHER = (
    "import sys\n"
    "from nixgen.cache.bucket.location import CacheLocation\n"
    "from nixgen.cache.push.push import push\n"
    "from nixgen.cache.format.signing import SecretKey\n"
    "key = SecretKey.parse(sys.argv[3])\n"
    "push([sys.argv[1]], CacheLocation.parse(sys.argv[2]), [key],"
    " lambda event: print(type(event).__name__, flush=True))\n"
)
"""A program: pushes argv[1] to argv[2] with the key argv[3], and prints the name of every event."""


@pytest.fixture(scope="session")
def app() -> str:
    """The store path at the top of the closure."""
    done = subprocess.run(
        ["nix-build", "--no-out-link", "-E", EXPRESSION, *OPTIONS, "--option", "substituters", ""],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def location() -> Iterator[CacheLocation]:
    with embedded_s3() as location:
        yield location


@pytest.fixture
def bucket(location: CacheLocation) -> Iterator[Bucket]:
    bucket = Bucket(location, connections=4)
    yield bucket
    bucket.close()


def push_app(app: str, location: CacheLocation, **settings: object) -> PushReport:
    return push([app], location, [KEY], ignore, settings=UploadSettings(**settings))


def realise(
    path: str, location: CacheLocation, root: Path, *, key: PublicKey = KEY.public
) -> subprocess.CompletedProcess[str]:
    """A stock Nix substitutes ``path`` into the store at ``root``, which it creates."""
    with CacheServer(location) as server:
        return subprocess.run(
            [
                *("nix-store", "--store", root, "--realise", path, *OPTIONS),
                *("--option", "substituters", server.url),
                *("--option", "require-sigs", "true"),
                *("--option", "trusted-public-keys", str(key)),
            ],
            capture_output=True,
            text=True,
            check=False,
            # Nix remembers narinfos by URL; the next server may get the same port.
            env={**os.environ, "XDG_CACHE_HOME": str(root) + "-cache", "NIX_REMOTE": ""},
            timeout=120,
        )


def hashes(app: str, store: Store) -> dict[str, tuple[str, int]]:
    return {info.path: (info.nar_hash, info.nar_size) for info in store.closure([app])}


def assert_consistent(bucket: Bucket) -> set[str]:
    """Every narinfo is signed and has its NAR and the narinfos of its references; their names."""
    names = set(bucket.names())
    narinfos = {name for name in names if name.endswith(".narinfo")}
    for name in narinfos:
        info = NarInfo.parse((bucket.read(name) or b"").decode())
        assert info.url in names
        assert {narinfo_name(reference) for reference in info.references} <= narinfos
        assert KEY.public.verifies(info.fingerprint, info.signatures)
    return narinfos


@pytest.mark.parametrize("codec", CODECS)
def test_a_stock_nix_substitutes_the_closure(
    codec: str, app: str, location: CacheLocation, tmp_path: Path
) -> None:
    level = {"xz": 0, "gzip": 1}.get(codec)  # the default levels take long
    report = push_app(app, location, codec=Codec.of(codec, level))
    assert report.uploaded is not None
    assert report.uploaded.published == report.plan.closure == 6
    done = realise(app, location, tmp_path / "root")
    assert done.returncode == 0, done.stderr
    here = Store()
    there = Store(root=tmp_path / "root")
    assert hashes(app, there) == hashes(app, here)
    verified = subprocess.run(
        ["nix-store", "--store", tmp_path / "root", "--verify", "--check-contents"], check=False
    )
    assert verified.returncode == 0


def test_a_second_push_sends_nothing(app: str, location: CacheLocation) -> None:
    first = push_app(app, location)
    events: list[CacheEvent] = []
    second = push([app], location, [KEY], events.append)
    assert first.plan.nar_bytes > 30_000_000
    assert second.plan.missing == ()
    assert events == [Planned(paths=6, missing=0, nar_bytes=0)]


def test_a_dry_run_counts_and_writes_nothing(
    app: str, location: CacheLocation, bucket: Bucket
) -> None:
    report = push([app], location, [KEY], ignore, dry_run=True)
    assert (report.plan.closure, len(report.plan.missing), report.uploaded) == (6, 6, None)
    assert report.plan.nar_bytes == sum(size for _, size in hashes(app, Store()).values())
    assert list(bucket.names()) == []


def test_one_flipped_byte_is_refused(
    app: str, location: CacheLocation, bucket: Bucket, tmp_path: Path
) -> None:
    push_app(app, location, codec=Codec.of("none"))
    info = NarInfo.parse((bucket.read(narinfo_name(app)) or b"").decode())
    nar = bytearray(bucket.read(info.url) or b"")
    where = nar.index(b"cache-test-lib")
    nar[where] ^= 1
    bucket.put(info.url, bytes(nar))
    done = realise(app, location, tmp_path / "root")
    assert done.returncode != 0
    assert "hash mismatch" in done.stderr
    assert not Store(root=tmp_path / "root").is_valid([app])


def test_another_key_is_refused(app: str, location: CacheLocation, tmp_path: Path) -> None:
    push_app(app, location)
    other = SecretKey.generate("test-1").public
    done = realise(app, location, tmp_path / "root", key=other)
    assert done.returncode != 0
    assert "trusted-public-keys" in done.stderr
    assert not Store(root=tmp_path / "root").is_valid([app])


@pytest.mark.parametrize("stop_after", [0, 1, 3, 5, 8])
def test_an_interrupted_push_is_consistent_and_resumes(
    stop_after: int, app: str, location: CacheLocation, bucket: Bucket
) -> None:
    class CutError(Exception):
        pass

    seen: list[CacheEvent] = []

    def interrupt(event: CacheEvent) -> None:
        if isinstance(event, NarStored | Published):
            if len(seen) >= stop_after:
                raise CutError
            seen.append(event)

    with pytest.raises(CutError):
        push([app], location, [KEY], interrupt)
    visible = assert_consistent(bucket)
    stored = set(bucket.names("nar/"))
    assert len(visible) < 6

    again: list[CacheEvent] = []
    report = push([app], location, [KEY], again.append)
    assert report.uploaded is not None
    assert len(report.plan.missing) == 6 - len(visible)
    assert len(assert_consistent(bucket)) == 6
    big = next(name for name in hashes(app, Store()) if name.endswith("-big"))
    resumed = {event.path: event.reused for event in again if isinstance(event, NarStored)}
    info = NarInfo.parse((bucket.read(narinfo_name(big)) or b"").decode())
    # What was durable is not sent again.
    if big in resumed:
        assert resumed[big] == (info.url in stored)


def test_a_killed_push_is_consistent_and_resumes(
    app: str, location: CacheLocation, bucket: Bucket
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PUSHER, app, str(location), KEY.text], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line == b"Published\n":
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    time.sleep(0.5)  # what the emulator received before, it may still be storing
    assert len(assert_consistent(bucket)) < 6
    push_app(app, location)
    assert len(assert_consistent(bucket)) == 6


def test_lost_narinfos_come_back_without_sending_their_nars_again(
    app: str, location: CacheLocation, bucket: Bucket, tmp_path: Path
) -> None:
    settings = UploadSettings(codec=Codec.of("none"))  # so that `big` goes out in parts
    push([app], location, [KEY], ignore, settings=settings)
    big = next(path for path in hashes(app, Store()) if path.endswith("-big"))
    bucket.delete([narinfo_name(big)])
    # The top is there, and by the order of publication so is what it reaches: nothing is asked.
    assert push([app], location, [KEY], ignore, settings=settings).plan.missing == ()
    report = push([app], location, [KEY], ignore, settings=settings, thorough=True)
    assert [info.path for info in report.plan.missing] == [big]
    assert report.uploaded is not None
    assert (report.uploaded.reused, report.uploaded.file_bytes) == (1, 0)
    # The hash of an object that was sent in parts is not known afterwards; Nix does without.
    assert NarInfo.parse((bucket.read(narinfo_name(big)) or b"").decode()).file_hash is None
    done = realise(app, location, tmp_path / "root")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_a_push_soon(app: str, location: CacheLocation, bucket: Bucket) -> None:
    code = PUSHER.replace("flush=True)", "flush=True) or __import__('time').sleep(0.2)")
    child = subprocess.Popen(
        [sys.executable, "-c", code, app, str(location), KEY.text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"Planned\n"
        child.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, errors = child.communicate(timeout=120)
    assert time.monotonic() - started < 10
    assert errors.rstrip().endswith(b"KeyboardInterrupt")
    assert len(assert_consistent(bucket)) < 6


def test_a_corrupt_path_is_named_and_never_published(
    app: str, location: CacheLocation, bucket: Bucket, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    with embedded_s3() as source:
        push_app(app, source)
        assert realise(app, source, root).returncode == 0
    damaged = Store(root=root)
    paths = [info.path for info in damaged.closure([app])]
    base = next(path for path in paths if path.endswith("-base"))
    big = next(path for path in paths if path.endswith("-big"))
    for file in (damaged.real_path(base) / "file", damaged.real_path(big)):
        file.chmod(0o644)
        data = bytearray(file.read_bytes())
        data[-2] ^= 1
        file.write_bytes(data)
    with pytest.raises(VerifyError, match="2 paths") as caught:
        push([app], location, [KEY], ignore, settings=UploadSettings(verify=True), store=damaged)
    named = "\n".join(caught.value.details)
    assert base in named
    assert big in named
    # Everything else refers to one of the two.
    outside = [name for name in bucket.names() if not name.startswith(("nar/", "nixgen/"))]
    assert outside == [CACHE_INFO]
    for path in (base, big):
        digest = Store().info([path])[0].nar_hash.removeprefix("sha256:")
        assert bucket.head(f"nar/{digest}.nar.zst") is None
    shutil.rmtree(root, ignore_errors=True)


def test_memory_stays_within_the_budget(app: str, location: CacheLocation) -> None:
    report = push_app(app, location, memory=0, codec=Codec.of("none"))
    assert report.uploaded is not None
    assert report.uploaded.nar_bytes > 30_000_000
    assert report.uploaded.peak_memory <= 48 << 20
