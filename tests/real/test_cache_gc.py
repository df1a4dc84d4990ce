"""Collection by the command line: old generations go, and a stock Nix gets all that is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_folders import make_writable

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.keygen import keygen
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.keep.batch import SWEEP
from nixgen.cache.keep.leases import LEASES, leased
from nixgen.cache.keep.roots import Root, list_roots, path_targets
from nixgen.cache.push import push as library
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.cache.serve.http import CacheServer
from nixgen.driver.store.store import Store
from nixgen.programs.observer import ignore

pytestmark = pytest.mark.real

OPTIONS = ("--option", "build-users-group", "", "--option", "sandbox", "false")
NOW = ("--min-age", "0", "--grace", "0", "--keep", "1")

# app → middle → base: all three are others in each version; app → shared, which is not.
EXPRESSION = r"""
version: let
  make = name: script: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" script ];
  };
  shared = make "gc-test-shared" "echo shared > $out";
  base = make "gc-test-base" "echo base ${version} > $out";
  middle = make "gc-test-middle" "echo ${base} > $out";
in make "gc-test-app" "echo ${middle} ${shared} > $out"
"""


def built(version: str) -> str:
    done = subprocess.run(
        ["nix-build", "--no-out-link", "-E", f"({EXPRESSION}) {version!r}".replace("'", '"'),
         *OPTIONS, "--option", "substituters", ""],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def versions() -> list[str]:
    """Store paths of three versions of the same package."""
    return [built(version) for version in "123"]


@pytest.fixture
def location() -> Iterator[CacheLocation]:
    with embedded_s3() as location:
        yield location


@pytest.fixture
def bucket(location) -> Iterator[Bucket]:
    with Bucket(location) as bucket:
        yield bucket


@pytest.fixture
def nixgen(command_line, tmp_path, location):
    """The command line outside of any project, with this cache and a key."""
    keygen("test-1", tmp_path / "key")
    return command_line(folder=tmp_path, environment={"NIXGEN_CACHE": str(location)})


@pytest.fixture
def key(nixgen) -> Path:
    return Path(nixgen.folder / "key")


def push(bucket: Bucket, key: Path, *paths: str) -> None:
    """Push generations as if time passed between them."""
    for path in paths:
        root = Root(
            generation=f"20261123T2030{len(list_roots(bucket)) + 10}Z-000000",
            created=bucket.clock(),
            project="test",
            targets=path_targets([path]),
        )
        library.push([path], bucket.location, [SecretKey.load(key)], ignore, root=root)


def own(path: str) -> list[str]:
    """The paths that only this version has, referrers first."""
    names = {info.path: info for info in Store.of_host().closure([path])}
    return [each for each in reversed(names) if not each.endswith("-shared")]


def there(bucket: Bucket, path: str) -> bool:
    return bucket.head(narinfo_name(path)) is not None


def assert_consistent(bucket: Bucket) -> None:
    """The archive and the references of every narinfo are in the cache."""
    names = set(bucket.names())
    for name in names:
        if name.endswith(".narinfo"):
            info = NarInfo.parse((bucket.read(name) or b"").decode())
            assert info.url in names
            assert {f"{each[:32]}.narinfo" for each in info.references} <= names


def substitutable(location, folder: Path, path: str) -> bool:
    """Whether a stock Nix gets the closure into an empty store."""
    key = (folder / "key.pub").read_text().strip()
    store = folder / f"store{time.monotonic_ns()}"
    with CacheServer(location) as server:
        done = subprocess.run(
            ["nix", "copy", "--from", server.url, "--to", str(store), path,
             "--extra-experimental-features", "nix-command",
             "--option", "trusted-public-keys", key, "--option", "require-sigs", "true", *OPTIONS],
            capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_CACHE_HOME": str(store)},
        )  # fmt: skip
    try:
        return done.returncode == 0 and (store / path.removeprefix("/")).exists()
    finally:
        make_writable(store)
        shutil.rmtree(store, ignore_errors=True)


def test_an_old_generation_goes_and_a_stock_nix_gets_the_new_one(
    nixgen, location, bucket, versions
):
    old, new, _ = versions
    for path in (old, new):
        nixgen("cache", "push", path, "--key", "key")
        time.sleep(1)  # a generation's name tells seconds
    shown = nixgen("cache", "gc", *NOW).stdout
    assert f"path  {old}" in shown
    assert new not in shown
    assert all(there(bucket, path) for path in own(old)), "a dry run removes nothing"
    report = nixgen.document("cache", "gc", *NOW, "--apply")
    assert report["removed"]["objects"] == len(own(old)) * 2 + 1
    assert [each["path"] for each in report["doomed"] if each["kind"] == "path"] == own(old)
    assert not any(there(bucket, path) for path in own(old))
    assert_consistent(bucket)
    assert len(list_roots(bucket)) == 1
    assert [name for name in bucket.names("nixgen/") if "/roots/" not in name] == []
    assert substitutable(location, nixgen.folder, new)
    assert not substitutable(location, nixgen.folder, old)


def test_pins_keep_until_they_are_removed(nixgen, location, bucket, key, versions):
    old, new, newest = versions
    push(bucket, key, old)
    nixgen("cache", "pin", "release-1", "--note", "the first")
    push(bucket, key, new)
    nixgen("cache", "pin", "release-2", new)
    push(bucket, key, newest)
    nixgen("cache", "gc", *NOW, "--apply")
    assert substitutable(location, nixgen.folder, old)
    shown = nixgen.document("cache", "roots")
    assert [root["pinned"] for root in shown["roots"]] == [[]]
    assert [(pin["name"], pin["paths"]) for pin in shown["pins"]] == [
        ("release-1", [old]),
        ("release-2", [new]),
    ]
    nixgen("cache", "unpin", "release-1")
    assert "it has release-2" in nixgen("cache", "unpin", "release-1", expect=2).stderr
    nixgen("cache", "gc", *NOW, "--apply")
    assert not there(bucket, old)
    assert all(there(bucket, path) for path in own(new))
    assert "push it first" in nixgen("cache", "pin", "x", old, expect=2).stderr


def test_a_path_that_is_pushed_again_during_the_grace_is_rescued(nixgen, bucket, key, versions):
    old, new, _ = versions
    push(bucket, key, old, new)
    waiting = (*NOW[:2], "--grace", "1h", "--keep", "1", "--apply")
    report = nixgen.document("cache", "gc", *waiting)
    assert (report["removed"]["objects"], {each["due"] for each in report["doomed"]}) == (
        0,
        {False},
    )
    push(bucket, key, old)
    report = nixgen.document("cache", "gc", *waiting)
    assert {narinfo_name(path) for path in own(old)} <= set(report["rescued"])
    assert {each["path"] for each in report["doomed"] if each["kind"] == "path"} == set(own(new))


def test_a_push_under_way_keeps_its_paths(nixgen, bucket, key, versions):
    old, new, _ = versions
    push(bucket, key, old, new)
    with contextlib.suppress(KeyboardInterrupt), leased(bucket, Store.of_host().closure([old])):
        report = nixgen.document("cache", "gc", *NOW, "--apply")
        assert report["kept"]["leases"] == 1
        assert all(there(bucket, path) for path in own(old))
        raise KeyboardInterrupt
    # A push that was interrupted has left its lease, which lapses.
    assert len(list(bucket.names(LEASES))) == 1
    nixgen("cache", "gc", *NOW, "--apply")
    assert there(bucket, old)


@pytest.mark.parametrize("steps", [1, 3])
def test_after_a_killed_collection_the_cache_is_whole_and_the_next_one_goes_on(
    nixgen, bucket, key, versions, steps
):
    old, new, _ = versions
    push(bucket, key, old, new)
    collector = nixgen.start("cache", "gc", *NOW, "--apply", "--batch-seconds", "2")
    with collector:
        for _ in range(steps):
            line = collector.stderr.readline()
            assert "objects" in line, line
        collector.send_signal(signal.SIGKILL)
    assert_consistent(bucket)
    assert all(there(bucket, path) for path in own(new))
    if bucket.head(SWEEP) is not None:
        time.sleep(4)  # its lock lapses
    nixgen("cache", "gc", *NOW, "--apply")
    assert not any(there(bucket, path) for path in own(old))
    assert_consistent(bucket)
    assert len(list(bucket.names("nar/"))) == len(Store.of_host().closure([new]))


def test_of_two_collectors_at_once_the_second_names_the_first(nixgen, bucket, key, versions):
    old, new, _ = versions
    push(bucket, key, old, new)
    collect = ("cache", "gc", *NOW, "--apply")
    with nixgen.start(*collect) as one, nixgen.start(*collect) as other:
        errors = [process.communicate()[1] for process in (one, other)]
    codes = sorted([one.returncode, other.returncode])
    # They may also come one after the other.
    assert codes in ([0, 0], [0, 3])
    if codes == [0, 3]:
        assert any("another collection is at work: " in text for text in errors)
    assert not there(bucket, old)
    assert_consistent(bucket)


def test_a_corrupt_narinfo_is_named_and_its_files_stay(nixgen, bucket, key, versions):
    old, new, _ = versions
    push(bucket, key, old, new)
    key = narinfo_name(own(old)[0])
    text = (bucket.read(key) or b"").decode()
    bucket.put(key, text.replace("NarSize: ", "NarSize: -").encode())
    done = nixgen("cache", "gc", *NOW, "--apply", expect=1)
    assert "nixgen cache repair" in done.stderr
    assert key in done.stderr
    assert all(bucket.head(narinfo_name(path)) for path in own(old))
    assert bucket.head(NarInfo.parse(text).url)


def test_ages_survive_a_restart_of_the_emulator(tmp_path, versions):
    """The project's own S3 starts anew for each command; old objects must not become young by it."""
    with embedded_s3(tmp_path / "s3") as location:
        keygen("test-1", tmp_path / "key")
        with Bucket(location) as bucket:
            push(bucket, tmp_path / "key", versions[0])
    before = time.time() - 48 * 3600
    for file in (tmp_path / "s3").rglob("*.*"):
        os.utime(file, (before, before))
    with embedded_s3(tmp_path / "s3") as location, Bucket(location) as bucket:
        (root,) = list(bucket.objects("nixgen/roots/"))
        assert abs(root.modified.timestamp() - before) < 2


def test_wrong_ages_and_sizes_are_refused(nixgen):
    for options, expected in (
        (("--min-age", "soon"), "'soon' is not an age"),
        (("--older-than", "9" * 12 + "d"), "is too long"),
        (("--max-bytes", "much"), "'much' is not a size"),
    ):
        assert expected in nixgen("cache", "gc", *options, expect=2).stderr
