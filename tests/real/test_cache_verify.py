"""A damaged cache is found by `verify`, refused by a stock Nix, and repaired; and keys rotate."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from emulated import conditional_writes
from store_folders import make_writable

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import read_inventory
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.check.repair import repair
from nixgen.cache.check.rotate import Rotation, sign
from nixgen.cache.check.verify import check_metadata
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.keep.leases import leased_paths
from nixgen.cache.push.push import CACHE_INFO
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.cache.serve.http import CacheServer
from nixgen.driver.store.store import Store
from nixgen.programs.observer import ignore
from nixgen.store.digest import Hash

pytestmark = pytest.mark.real

ORPHAN_NAR = f"nar/{'1' * 52}.nar.zst"
ORPHAN_LISTING = f"{'1' * 32}.ls"
DOCUMENT = "nixgen/pins/broken.json"


@frozen(kw_only=True)
class Pushed:
    """examples/hello in a cache, and the means to damage it."""

    nixgen: Any
    location: CacheLocation
    bucket: Bucket
    key: SecretKey

    def run(self, verb: str, *arguments: object, expect: int = 0) -> str:
        return self.nixgen("cache", verb, str(self.location), *arguments, expect=expect).stdout

    def document(self, verb: str, *arguments: object, expect: int = 0) -> dict:
        return self.nixgen.document("cache", verb, str(self.location), *arguments, expect=expect)

    def problems(self, *arguments: object) -> dict[str, str]:
        """The kind of each problem, by the name of its path, or of its object without a path."""
        found = self.document("verify", *arguments, expect=1)["problems"]
        named = {
            (each["path"] or each["object"]).removeprefix("/nix/store/"): each["kind"]
            for each in found
        }
        assert len(named) == len(found), found
        return named

    def narinfos(self) -> list[NarInfo]:
        """The narinfos that need a signature, in a stable order."""
        infos = read_inventory(self.bucket).narinfos.values()
        return sorted((info for info in infos if info.ca is None), key=lambda info: info.base_name)

    def write(self, info: NarInfo, *, name: str | None = None) -> None:
        self.put(name or info.key, str(info).encode())

    def put(self, name: str, data: bytes) -> None:
        self.bucket.put(name, data)

    def signed(self, info: NarInfo) -> NarInfo:
        return evolve(info, signatures=(self.key.sign(info.fingerprint),))


@pytest.fixture(scope="module")
def hello(example, tmp_path_factory) -> Iterator[Pushed]:
    nixgen = example("hello")
    with (
        embedded_s3(tmp_path_factory.mktemp("s3")) as location,
        Bucket(location, connections=8) as bucket,
    ):
        nixgen("cache", "push", "images", "--to", str(location))
        key = SecretKey.load(nixgen.folder / ".nixgen/cache.key")
        yield Pushed(nixgen=nixgen, location=location, bucket=bucket, key=key)


@pytest.fixture(scope="module")
def originals(hello: Pushed) -> dict[str, tuple[str, bytes]]:
    """The tag and the content of every object."""
    return {
        found.name: (found.etag, hello.bucket.read(found.name) or b"")
        for found in hello.bucket.objects()
    }


@pytest.fixture
def cache(hello: Pushed, originals: dict[str, tuple[str, bytes]]) -> Iterator[Pushed]:
    """The pushed cache, restored after the test."""
    yield hello
    after = {found.name: found.etag for found in hello.bucket.objects()}
    hello.bucket.delete(after.keys() - originals.keys())
    for name, (tag, data) in originals.items():
        if after.get(name) != tag:
            hello.put(name, data)


def copy(
    cache: Pushed, root: Path, *paths: str, key: SecretKey | None = None
) -> subprocess.CompletedProcess[str]:
    """A stock Nix that trusts ``key`` copies the closures of ``paths`` into the store at ``root``."""
    with CacheServer(cache.location) as server:
        return subprocess.run(
            [
                *("nix", "--extra-experimental-features", "nix-command", "copy"),
                *("--option", "build-users-group", "", "--option", "substituters", ""),
                *("--option", "require-sigs", "true"),
                *("--option", "trusted-public-keys", str((key or cache.key).public)),
                *("--from", server.url, "--to", str(root), *paths),
            ],
            capture_output=True,
            text=True,
            check=False,
            # Nix remembers narinfos by URL; the next server may get the same port.
            env={**os.environ, "XDG_CACHE_HOME": f"{root}-cache", "NIX_REMOTE": ""},
            timeout=120,
        )


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Make folders for empty stores."""
    made: list[Path] = []

    def make() -> Path:
        made.append(tmp_path / f"store{len(made)}")
        return made[-1]

    yield make
    for folder in made:
        make_writable(folder)
        shutil.rmtree(folder, ignore_errors=True)


def leaves(cache: Pushed) -> list[NarInfo]:
    """Small paths without references."""
    return [
        info
        for info in cache.narinfos()
        if set(info.references) <= {info.base_name} and info.nar_size < 3_000_000
    ]


def test_a_good_cache_is_reported_in_one_line(cache: Pushed) -> None:
    output = cache.run("verify")
    assert output.endswith(": signatures, hashes and references are right\n")
    assert output.count("\n") == 1
    found = cache.document("verify")
    assert found["problems"] == []
    assert found["archives"]["read"] == found["archives"]["stored"] > 0
    assert found["archives"]["fileBytes"] == found["fileBytes"]
    sample = cache.document("verify", "--sample", 3)
    assert (sample["archives"]["read"], sample["paths"]) == (3, found["paths"])


def test_every_damage_is_named_and_repaired_where_possible(cache: Pushed, root) -> None:
    infos = cache.narinfos()
    referred = {name for info in infos for name in info.references if name != info.base_name}
    lost = next(info for info in infos if info.base_name in referred)
    victims = iter(
        info for info in infos if info.base_name != lost.base_name and info.nar_size < 5_000_000
    )
    expected: dict[str, str] = {}

    def victim(kind: str) -> NarInfo:
        info = next(victims)
        expected[info.base_name] = kind
        return info

    def archive(info: NarInfo, data: bytes) -> None:
        """Change an archive as anybody with the right to write can: signatures do not cover it."""
        cache.put(info.url, data)
        cache.write(evolve(info, file_hash=Hash.of(data), file_size=len(data)))

    compress = Codec.of("zstd").compressor()
    cache.bucket.delete([lost.key])
    expected[lost.base_name] = "reference-lost"
    cache.bucket.delete([victim("nar-missing").url])
    cut = victim("file-size")
    cache.put(cut.url, (cache.bucket.read(cut.url) or b"")[:-1])
    flipped = victim("file-hash")
    cache.put(flipped.url, flip(cache.bucket.read(flipped.url) or b"", 77))
    archive(victim("nar-unreadable"), b"no zstd at all")
    forged = victim("nar-hash")
    archive(forged, compress(bytes(forged.nar_size)))
    grown = victim("nar-size")
    archive(grown, compress(bytes(grown.nar_size + 1)))
    cache.write(evolve(victim("compression-unknown"), compression="br"))
    cache.write(evolve(victim("signature-missing"), signatures=()))
    wrong = victim("signature-wrong")
    cache.write(evolve(wrong, signatures=forged.signatures))
    short = next(victims)
    cache.put(short.key, str(short).encode()[:-30])
    expected[short.key] = "narinfo-unreadable"
    other, misnamed = next(victims), next(victims)
    cache.write(other, name=misnamed.key)
    expected[other.base_name] = "narinfo-misnamed"
    cache.bucket.delete([CACHE_INFO])
    expected[CACHE_INFO] = "cache-info"
    cache.put(DOCUMENT, b"{")
    expected[DOCUMENT] = "document-unreadable"
    waste = {
        ORPHAN_NAR: "nar-orphan",
        ORPHAN_LISTING: "listing-orphan",
        "nar/parts.nar.zst": "upload-unfinished",
    }
    cache.put(ORPHAN_NAR, b"nobody's")
    cache.put(ORPHAN_LISTING, b"{}")
    upload = cache.bucket.multipart("nar/parts.nar.zst")
    upload.put(1, b"part")

    try:
        # Archives of what has no narinfo any more are nobody's, for now.
        now_orphans = {info.url: "nar-orphan" for info in (lost, short, misnamed)}
        assert cache.problems("--min-age", 0) == {**expected, **waste, **now_orphans}
        planned = cache.document("repair", "--plan", expect=1)
        assert planned["remaining"] is None
        found = cache.document("verify", expect=1)  # nothing is a day old, or was written
        assert found["inProgress"] == len(waste) + len(now_orphans)
        assert sorted(each["kind"] for each in found["problems"]) == sorted(expected.values())

        report = cache.document("repair", expect=1)
        assert set(planned["pushed"]) <= set(report["pushed"])
        assert len(report["pushed"]) == len(expected) - 2  # the document, and nix-cache-info
        assert report["beyond"] == []
        assert [each["object"] for each in report["remaining"]] == [DOCUMENT]
        assert cache.problems("--min-age", 0) == {DOCUMENT: "document-unreadable", **waste}
    finally:
        upload.abort()
        cache.bucket.delete([*waste, DOCUMENT])
    assert "are right" in cache.run("verify", "--min-age", 0)
    assert cache.run("repair") == "nothing is broken\n"
    store = root()
    top = [info.store_path for info in cache.narinfos() if info.base_name not in referred]
    done = copy(cache, store, *top)
    assert done.returncode == 0, done.stderr
    assert Store(root=store).info(top) == [
        evolve(info, signatures=there.signatures, deriver=there.deriver)
        for info, there in zip(Store().info(top), Store(root=store).info(top), strict=True)
    ]


def flip(data: bytes, where: int) -> bytes:
    changed = bytearray(data)
    changed[where % len(data)] ^= 1
    return bytes(changed)


def test_a_flipped_byte_anywhere_is_named_and_refused(cache: Pushed, root) -> None:
    chance = random.Random(20261123)
    damaged = chance.sample(leaves(cache), 5)
    for info in damaged:
        data = cache.bucket.read(info.url) or b""
        cache.put(info.url, flip(data, chance.randrange(len(data))))
    assert cache.problems() == {info.base_name: "file-hash" for info in damaged}
    for info in damaged:
        store = root()
        done = copy(cache, store, info.store_path)
        assert done.returncode != 0, info
        assert not Store(root=store).is_valid([info.store_path])
    output = cache.run("repair")
    assert all(f"pushed anew  {info.store_path}" in output for info in damaged)
    done = copy(cache, root(), *(info.store_path for info in damaged))
    assert done.returncode == 0, done.stderr


def test_a_corrupt_local_path_is_refused_and_named(cache: Pushed, tmp_path: Path) -> None:
    info = next(each for each in leaves(cache) if Path(each.store_path).is_dir())
    cache.bucket.delete([info.url])
    place = tmp_path / info.store_path.lstrip("/")
    shutil.copytree(info.store_path, place, symlinks=True)
    for directory, _, _ in os.walk(place):
        Path(directory).chmod(0o700)
    file = next(path for path in sorted(place.rglob("*")) if path.is_file() and path.stat().st_size)
    file.chmod(0o600)
    file.write_bytes(flip(file.read_bytes(), 0))
    store = Store(root=tmp_path, state_dir=Path("/nix/var/nix"))
    report = repair(cache.bucket, [cache.key], [], ignore, store=store, codec=Codec.of())
    assert (report.pushed, report.refused) == ((), (info.store_path,))
    assert info.store_path in report.reasons[0]
    assert [problem.path for problem in report.remaining or ()] == [info.store_path]
    assert not report.is_clean
    assert cache.bucket.head(info.url) is None


def absent_paths(cache: Pushed) -> tuple[NarInfo, NarInfo]:
    """A path whose archive is missing, and its referrer; this computer has neither."""
    leaf = leaves(cache)[0]
    gone = NarInfo(
        store_path=f"/nix/store/{'2' * 32}-gone",
        url=f"nar/{'2' * 52}.nar.zst",
        compression="zstd",
        nar_hash=Hash.of(b"gone"),
        nar_size=112,
        deriver=f"{'3' * 32}-gone.drv",
    )
    # With a leaf's archive, so that nothing but its reference is wrong.
    top = evolve(
        leaf, store_path=f"/nix/store/{'4' * 32}-top", references=(gone.base_name,), deriver=None
    )
    return cache.signed(gone), cache.signed(top)


def test_a_path_that_this_computer_lacks_is_named_and_dropped(cache: Pushed) -> None:
    gone, top = absent_paths(cache)
    cache.write(gone)
    cache.write(top)
    assert cache.problems() == {gone.base_name: "nar-missing"}
    report = cache.document("repair", expect=1)
    assert report["beyond"] == [
        {
            "object": gone.key,
            "path": gone.store_path,
            "command": f"nix-store --realise /nix/store/{gone.deriver}",
        }
    ]
    with leased_paths(cache.bucket, {top.base_name[:32]: top.nar_hash.nix32}) as lease:
        lease.settle()  # at the end of the block it goes, as when a root has been recorded
        refused = cache.nixgen("cache", "repair", str(cache.location), "--drop", expect=3)
    assert "a push by" in refused.stderr
    assert cache.bucket.head(top.key) is not None
    report = cache.document("repair", "--drop")
    assert report["dropped"] == [top.key, gone.key]
    assert "are right" in cache.run("verify")


def test_a_path_with_the_same_content_names_the_new_archive(cache: Pushed) -> None:
    """Two paths with the same content share an archive: the repair of one must not break the other."""
    leaf = leaves(cache)[0]
    twin = cache.signed(evolve(leaf, store_path=f"/nix/store/{'5' * 32}-twin", references=()))
    data = Codec.of("zstd", 1).compressor()(b"other bytes")
    cache.put(leaf.url, data)
    cache.write(twin)
    assert cache.problems() == {leaf.base_name: "file-size", twin.base_name: "file-size"}
    cache.run("repair")
    assert "are right" in cache.run("verify")


def test_references_may_be_in_an_upstream(cache: Pushed, tmp_path: Path) -> None:
    referred = {name for info in cache.narinfos() for name in info.references}
    lost = next(info for info in leaves(cache) if info.base_name in referred)
    cache.bucket.delete([lost.key])
    (tmp_path / lost.key).write_text(str(lost))
    assert cache.problems("--no-nars") == {lost.base_name: "reference-lost"}
    output = cache.run("verify", "--no-nars", "--upstream", f"file://{tmp_path}")
    assert "references are right" in output
    silent = cache.nixgen(
        *("cache", "verify", str(cache.location), "--no-nars", "--upstream", "http://127.0.0.1:1"),
        expect=3,
    )
    assert "the upstream http://127.0.0.1:1 does not answer" in silent.stderr


def test_a_path_that_was_pushed_after_the_listing_is_no_problem(cache: Pushed) -> None:
    whole = read_inventory(cache.bucket)
    referred = {name for info in cache.narinfos() for name in info.references}
    first, second = [info for info in leaves(cache) if info.base_name in referred][:2]
    stale = evolve(
        whole,
        objects={name: held for name, held in whole.objects.items() if name != first.url},
        narinfos={name: info for name, info in whole.narinfos.items() if name != second.key},
    )
    keys = [cache.key.public]
    assert check_metadata(cache.bucket, stale, keys, [], ignore) == []
    cache.bucket.delete([first.url, second.key])
    found = check_metadata(cache.bucket, stale, keys, [], ignore)
    assert [problem.path for problem in found] == [first.store_path, second.store_path]


def test_status_counts_the_paths_that_clients_lack(cache: Pushed) -> None:
    found = cache.document("status", "images")
    web = found["targets"]["images.web"]
    assert (web["covered"], web["present"]) == (True, web["closure"])
    assert found["paths"] == web["closure"]
    output = web["outputs"][0]
    lost = next(info for info in leaves(cache) if info.store_path != output)
    cache.bucket.delete([lost.key])
    found = cache.document("status", "images", expect=1)
    assert found["targets"]["images.web"]["missing"] == [lost.store_path]
    assert found["targets"]["images.web"]["missingBytes"] == lost.nar_size
    output = cache.run("status", expect=1)
    assert "images.web" in output
    assert "1 path, " in output
    assert "machines.web" in output


def test_keys_rotate_without_a_client_noticing(cache: Pushed, root, tmp_path: Path) -> None:
    leaf = leaves(cache)[0]
    forged = evolve(leaves(cache)[1], nar_hash=Hash.of(b"forged"))
    new_file = tmp_path / "new"
    cache.nixgen("cache", "keygen", "hello-2", "--out", new_file)
    new = SecretKey.load(new_file)
    whole = len(read_inventory(cache.bucket).narinfos)
    planned = cache.document("sign", "--key", new_file, "--plan")
    assert (planned["changed"], planned["written"]) == (whole, False)
    assert cache.document("sign", "--key", new_file)["changed"] == whole
    assert cache.document("sign", "--key", new_file)["changed"] == 0
    for key in (cache.key, new):
        done = copy(cache, root(), leaf.store_path, key=key)
        assert done.returncode == 0, done.stderr

    cache.write(forged)
    report = cache.document("sign", "--key", new_file, "--drop", "hello-1", expect=1)
    assert [each["path"] for each in report["refused"]] == [forged.store_path]
    assert report["changed"] == whole - 1
    assert cache.bucket.read(forged.key) == str(forged).encode()
    assert copy(cache, root(), leaf.store_path, key=cache.key).returncode != 0
    done = copy(cache, root(), leaf.store_path, key=new)
    assert done.returncode == 0, done.stderr
    last = cache.document("sign", "--drop", "hello-2", "--trust", f"{new_file}.pub", expect=1)
    assert (last["changed"], len(last["refused"])) == (0, whole)


@conditional_writes
def test_a_rotation_keeps_what_others_write_meanwhile(cache: Pushed) -> None:
    ours, theirs = SecretKey.generate("ours"), SecretKey.generate("theirs")
    raced: list[str] = []

    class Racing(Bucket):
        """Let somebody else add a signature before our first write to each narinfo."""

        def put(self, name: str, body: bytes, **options: object) -> bool:
            if name not in raced:
                raced.append(name)
                info = NarInfo.parse((self.read(name) or b"").decode())
                info = info.with_signatures(theirs.sign(info.fingerprint))
                super().put(name, str(info).encode())
            return super().put(name, body, **options)  # type: ignore[arg-type]

    with Racing(cache.location, connections=8) as bucket:
        report = sign(bucket, Rotation.of([ours], [cache.key.public]))
    assert report.changed == len(raced) > 0
    for info in read_inventory(cache.bucket).narinfos.values():
        for key in (ours, theirs, cache.key):
            assert key.public.verifies(info.fingerprint, info.signatures)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify", "--sample", 1, "--all"), "contradict"),
        (("verify", "--key", "nonsense"), "public key"),
        (("verify", "--project", "..", "--no-nars"), "no public key"),
        (("repair", "--project", ".."), "no key to sign with"),
        (("sign",), "no key to sign with"),
        (("sign", "--key", "missing"), "cannot read the key file"),
    ],
)
def test_impossible_requests_are_refused_in_one_line(
    hello: Pushed, arguments: tuple[object, ...], says: str
) -> None:
    verb, *rest = arguments
    done = hello.nixgen("cache", verb, str(hello.location), *rest, expect=2)
    assert says in done.stderr
    assert done.stdout == ""
