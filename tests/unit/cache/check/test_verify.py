"""The checks of a cache without a cache: narinfos, archives, waste, rotation, coverage, removal."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import random
from datetime import UTC, datetime, timedelta

import pytest
import zstandard
from attrs import evolve
from botocore.exceptions import IncompleteReadError
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.bucket.bucket import Download, ObjectInfo
from nixgen.cache.bucket.download import download
from nixgen.cache.bucket.inventory import Inventory, UnreadableNarinfo, read_narinfo
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.uploads import Unfinished
from nixgen.cache.check.problems import CacheProblem, ProblemKind
from nixgen.cache.check.rotate import Rotation, resigned, resigned_realisation
from nixgen.cache.check.status import cover
from nixgen.cache.check.verify import check_narinfo, check_object, find_waste, sampled
from nixgen.cache.collect.plan import batches, with_referrers
from nixgen.cache.format.codec import CODECS, Codec
from nixgen.cache.format.content_address import follows_from_content
from nixgen.cache.format.decompress import decompressed
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.realisation import realisation_text
from nixgen.driver.store.store import PathInfo, Realisation
from nixgen.errors import CacheError, UsageError, VerifyError
from nixgen.records.structure import to_json
from nixgen.store.digest import Hash

OLD, NEW, STRANGER = map(SecretKey.generate, ("old-1", "new-2", "stranger-1"))
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
LETTERS = "0123456789abcdfghijklmnpqrsvwxyz"


def base_name(number: int) -> str:
    digits = LETTERS[number // 32] + LETTERS[number % 32]
    return f"{digits}{'0' * 30}-path{number}"


def narinfo(number: int = 1, *references: int, key: SecretKey | None = OLD) -> NarInfo:
    info = NarInfo(
        store_path=f"/nix/store/{base_name(number)}",
        url=f"nar/{number}.nar.zst",
        compression="zstd",
        file_hash=Hash.of(b"file"),
        file_size=4,
        nar_hash=Hash.of(str(number).encode()),
        nar_size=112,
        references=tuple(map(base_name, references)),
    )
    return info if key is None else info.with_signatures(key.sign(info.fingerprint))


def inventory(*infos: NarInfo, objects: dict[str, ObjectInfo] | None = None) -> Inventory:
    held = {info.key: stored(info.key) for info in infos} | {
        info.url: stored(info.url) for info in infos
    }
    return Inventory(
        objects={**held, **(objects or {})},
        narinfos={info.key: info for info in infos},
    )


def stored(name: str, *, size: int = 4, age: float = 100) -> ObjectInfo:
    return ObjectInfo(name=name, size=size, modified=NOW - timedelta(hours=age), etag=name)


def kinds(problems: object) -> list[ProblemKind]:
    return [problem.kind for problem in problems]  # type: ignore[attr-defined]


# narinfos


def check(info: NarInfo, *, name: str | None = None, store: str | None = None) -> list[ProblemKind]:
    return kinds(check_narinfo(name or info.key, info, [NEW.public, OLD.public], store))


def test_a_signature_by_one_of_the_keys_is_enough() -> None:
    assert check(narinfo(key=OLD)) == check(narinfo(key=NEW)) == []


def test_a_path_without_a_signature_of_a_known_key_is_a_problem() -> None:
    assert check(narinfo(key=None)) == [ProblemKind.SIGNATURE_MISSING]
    assert check(narinfo(key=STRANGER)) == [ProblemKind.SIGNATURE_MISSING]


@pytest.mark.parametrize(
    "change",
    [
        {"nar_size": 113},
        {"nar_hash": Hash.of(b"other")},
        {"references": (base_name(2),)},
        {"store_path": f"/nix/store/{base_name(1)}x"},
    ],
)
def test_a_signature_covers_what_clients_rely_on(change: dict[str, object]) -> None:
    assert check(evolve(narinfo(), **change)) == [ProblemKind.SIGNATURE_WRONG]


def test_a_narinfo_under_another_name_or_of_another_store_is_a_problem() -> None:
    assert check(narinfo(), name=narinfo(2).key) == [ProblemKind.NARINFO_MISNAMED]
    assert check(narinfo(), store="/other/store") == [ProblemKind.NARINFO_MISNAMED]
    assert check(narinfo(), store="/nix/store") == []


# Names as Nix 2.8 gives them, of: builtins.toFile "greeting" "hello"; nix-store --add of a folder `dir` with a `file` that says hello;
# nix-store --print-fixed-path sha256 and sha1, over the same file.
@pytest.mark.parametrize(
    ("path", "ca"),
    [
        (
            "5akl8zsmda0yrr63v4khwgskih2g2hsh-greeting",
            f"text:sha256:{hashlib.sha256(b'hello').hexdigest()}",
        ),
        (
            "l4bclnhx3jcxcfz9j97fxhvizx1xy1gg-dir",
            "fixed:r:sha256:0sldaa6dd6dsfm1c7f8z9i32dfhn53aw1kyrlid1naa7hb6biy4v",
        ),
        (
            "l287mssmg9612b4rqa3ipwppkj2xs4sj-fixed-greeting",
            "fixed:sha256:" + hashlib.sha256(b"hello\n").hexdigest(),
        ),
        (
            "8qjsbzk3nahyr4aknlxgf5xlzlcz3j2w-fixed-greeting",
            "fixed:sha1:" + hashlib.sha1(b"hello\n").hexdigest(),
        ),
    ],
)
def test_a_path_that_follows_from_its_content_needs_no_signature(path: str, ca: str) -> None:
    info = NarInfo(
        store_path=f"/nix/store/{path}",
        url="nar/x.nar",
        compression="none",
        nar_hash=Hash.of(b"x"),
        nar_size=112,
        ca=ca,
    )
    assert check(info) == []
    # Another reference, another content, another name: all give another hash.
    assert not follows_from_content(evolve(info, references=(base_name(2),)))
    assert not follows_from_content(evolve(info, ca=f"text:{Hash.of(b'other')}"))
    assert not follows_from_content(evolve(info, store_path=info.store_path + "x"))
    assert check(evolve(info, store_path=info.store_path + "x")) == [ProblemKind.SIGNATURE_MISSING]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (str(narinfo()).encode()[:-20], "cut off"),
        (b"\xff\xfe", "not text"),
        (b"", "cut off"),
        (b"StorePath: /nix/store/x\n", "is missing"),
    ],
)
def test_an_unreadable_narinfo_comes_with_the_reason(data: bytes, why: str) -> None:
    found = read_narinfo(data)
    assert isinstance(found, UnreadableNarinfo)
    assert why in found.reason


# archives


def test_missing_and_cut_archives_are_found_in_the_listing() -> None:
    info = narinfo()
    held = inventory(info)

    def kind(**changes: object) -> ProblemKind | None:
        problem = check_object(evolve(info, **changes), held)
        return problem and problem.kind

    assert kind() is None
    assert kind(file_size=5) is ProblemKind.FILE_SIZE
    assert kind(url="nar/y") is ProblemKind.NAR_MISSING
    assert kind(compression="br") is ProblemKind.COMPRESSION_UNKNOWN
    assert kind(file_size=None) is None


@pytest.mark.parametrize("name", CODECS)
@given(
    frames=st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=4),
    cut=st.integers(1, 700),
)
def test_compressed_bytes_are_decompressed_in_every_compression(
    name: str, frames: list[bytes], cut: int
) -> None:
    compress = Codec.of(name, {"xz": 0}.get(name)).compressor()
    data = b"".join(map(compress, frames))
    chunks = [data[start : start + cut] for start in range(0, len(data), cut)]
    assert b"".join(decompressed(name, chunks)) == b"".join(frames)


def test_bzip2_is_decompressed() -> None:
    assert b"".join(decompressed("bzip2", [bz2.compress(b"nar")])) == b"nar"


def test_a_small_archive_that_expands_greatly_is_read_in_pieces() -> None:
    data = zstandard.compress(bytes(64 << 20))
    assert len(data) < 10_000
    sizes = [len(piece) for piece in decompressed("zstd", [data])]
    assert max(sizes) <= 1 << 18
    assert sum(sizes) == 64 << 20


@pytest.mark.parametrize("name", ["bzip2", "gzip", "xz", "zstd"])
def test_bytes_in_another_format_are_refused(name: str) -> None:
    with pytest.raises(VerifyError, match=f"not {name}"):
        list(decompressed(name, [b"these are no compressed bytes", b" at all"]))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("gzip", gzip.compress(bytes(999), mtime=0)),
        ("xz", lzma.compress(bytes(999))),
        ("bzip2", bz2.compress(bytes(999))),
    ],
)
def test_bytes_that_break_off_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(VerifyError):
        list(decompressed(name, [data[:-10]]))


def test_a_flipped_bit_in_a_frame_is_noticed_or_changes_the_content() -> None:
    content = random.Random(1).randbytes(3000) + bytes(3000)
    data = Codec.of("zstd").compressor()(content)
    for where in random.Random(2).sample(range(len(data)), 40):
        broken = bytearray(data)
        broken[where] ^= 1
        with contextlib.suppress(VerifyError):
            assert b"".join(decompressed("zstd", [bytes(broken)])) != content


# samples and waste


def test_a_sample_stays_the_same_when_the_cache_grows() -> None:
    few = [narinfo(number, key=None) for number in range(1, 40)]
    chosen = sampled(few, 10)
    assert len(chosen) == 10
    assert sampled(list(reversed(few)), 10) == chosen
    grown = sampled([*few, *(narinfo(n, key=None) for n in range(40, 50))], 10)
    assert len({info.key for info in grown} & {info.key for info in chosen}) >= 5
    assert sampled(few, 10, seed=1) != chosen
    assert sampled(few, None) == sampled(few, 39) == few


def test_an_old_object_that_nothing_names_is_waste() -> None:
    info = narinfo()
    held = inventory(
        info,
        objects={
            "nar/old.nar": stored("nar/old.nar"),
            "nar/young.nar": stored("nar/young.nar", age=23),
            f"{base_name(7)[:32]}.ls": stored("x.ls"),
            f"{base_name(1)[:32]}.ls": stored("named.ls"),
            "log/x.drv": stored("log/x.drv"),
        },
    )
    uploads = [
        Unfinished(name="nar/big.nar", size=9, touched=NOW - timedelta(hours=25)),
        Unfinished(name="nar/busy.nar", size=9, touched=NOW - timedelta(hours=1)),
    ]
    waste, young = find_waste(held, uploads, now=NOW, min_age=timedelta(hours=24))
    assert sorted(problem.object for problem in waste) == [
        f"{base_name(7)[:32]}.ls",
        "nar/big.nar",
        "nar/old.nar",
    ]
    assert set(kinds(waste)) == {
        ProblemKind.NAR_ORPHAN,
        ProblemKind.LISTING_ORPHAN,
        ProblemKind.UPLOAD_UNFINISHED,
    }
    assert young == 2


def test_every_problem_has_a_remedy() -> None:
    for kind in ProblemKind:
        problem = CacheProblem(kind=kind, object="x", message="y")
        assert ("gc" in problem.remedy) == kind.is_waste
        assert to_json(problem)["kind"] == kind.value


# rotation


def rotated(info: NarInfo, **changes: object) -> NarInfo:
    rotation = Rotation.of(
        **{"keys": [NEW], "trusted": [OLD.public], "dropped": (), **changes}  # type: ignore[arg-type]
    )
    text = resigned(str(info), rotation)
    assert resigned(text, rotation) == text  # a second time changes nothing
    return NarInfo.parse(text)


def names(info: NarInfo) -> list[str]:
    return [signature.partition(":")[0] for signature in info.signatures]


def test_a_new_key_signs_beside_the_old_one() -> None:
    both = rotated(narinfo())
    assert names(both) == ["old-1", "new-2"]
    assert NEW.public.verifies(both.fingerprint, both.signatures)
    assert evolve(both, signatures=narinfo().signatures) == narinfo()


def test_an_old_key_goes_when_the_new_one_has_signed() -> None:
    both = rotated(narinfo())
    assert names(rotated(both, dropped=["old-1"])) == ["new-2"]
    assert names(rotated(narinfo(), dropped=["old-1"])) == ["new-2"]
    assert names(rotated(both, keys=[], trusted=[NEW.public], dropped=["old-1"])) == ["new-2"]


def test_a_rotation_that_would_leave_no_known_signature_is_refused() -> None:
    with pytest.raises(ValueError, match="without a signature"):
        rotated(narinfo(), keys=[], dropped=["old-1"])
    # A stranger's signature beside it does not count.
    info = narinfo()
    with pytest.raises(ValueError, match="without a signature"):
        rotated(info.with_signatures(STRANGER.sign(info.fingerprint)), keys=[], dropped=["old-1"])


@pytest.mark.parametrize(
    "info",
    [
        narinfo(key=None),
        narinfo(key=STRANGER),
        evolve(narinfo(), nar_hash=Hash.of(b"forged")),
        narinfo(key=None).with_signatures(f"old-1:{STRANGER.sign('x').partition(':')[2]}"),
    ],
    ids=["unsigned", "stranger", "forged", "false name"],
)
def test_a_path_that_no_known_key_has_signed_is_never_signed(info: NarInfo) -> None:
    with pytest.raises(ValueError, match="no known key"):
        rotated(info)


def test_a_false_signature_beside_a_good_one_is_removed() -> None:
    info = narinfo(key=None)
    false = f"old-1:{STRANGER.sign('x').partition(':')[2]}"
    mixed = info.with_signatures(false, OLD.sign(info.fingerprint))
    assert false not in rotated(mixed).signatures


def test_unknown_fields_and_the_order_of_lines_survive() -> None:
    text = str(evolve(narinfo(), ca="fixed:x")).replace("Sig:", "Future: field\nSig:")
    new = resigned(text, Rotation.of([NEW], [OLD.public]))
    assert [line for line in new.splitlines() if not line.startswith("Sig")] == [
        line for line in text.splitlines() if not line.startswith("Sig")
    ]
    starts = ("\nFuture: ", "\nSig: old-1:", "\nSig: new-2:", "\nCA: ")
    places = [new.index(start) for start in starts]
    assert places == sorted(places)


def test_realisations_get_the_new_signatures_too() -> None:
    realisation = Realisation(id="sha256:00!out", path=f"/nix/store/{base_name(1)}")
    text = realisation_text(realisation, [OLD])
    assert resigned_realisation(text, Rotation.of([OLD], [])) == text
    both = resigned_realisation(text, Rotation.of([NEW], [OLD.public]))
    assert both == realisation_text(realisation, [OLD, NEW])
    new = resigned_realisation(both, Rotation.of([], [NEW.public], ["old-1"]))
    assert new == realisation_text(realisation, [NEW])
    with pytest.raises(ValueError, match="no known key"):
        resigned_realisation(text.replace("path1", "path2"), Rotation.of([NEW], [OLD.public]))
    for nothing in ("", "[]", "{}"):
        with pytest.raises(ValueError, match=r"."):
            resigned_realisation(nothing, Rotation.of([NEW], [OLD.public]))


@pytest.mark.parametrize(
    ("keys", "dropped", "says"),
    [
        ([], [], "no key to sign with"),
        ([NEW], ["new-2"], "at once"),
        ([SecretKey.generate("old-1")], [], "two keys are named old-1"),
    ],
)
def test_contradictory_rotations_are_refused(
    keys: list[SecretKey], dropped: list[str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        Rotation.of(keys, [OLD.public], dropped)


# removal

graphs = st.lists(st.sets(st.integers(0, 30), max_size=4), min_size=1, max_size=31).map(
    # Each refers to itself or to earlier ones only, as in a store.
    lambda rows: [{to for to in row if to <= index} for index, row in enumerate(rows)]
)


@given(graph=graphs, data=st.data())
def test_removal_never_takes_a_reference_before_its_referrer(
    graph: list[set[int]], data: st.DataObject
) -> None:
    held = inventory(*(narinfo(n, *references, key=None) for n, references in enumerate(graph)))
    infos = held.narinfos
    start = data.draw(st.sets(st.sampled_from(sorted(infos)), min_size=1))
    doomed = with_referrers(held, start)
    assert {each.name for each in doomed} >= start
    left = dict(infos)
    for batch in batches(doomed):
        for each in batch:
            if each.kind == "path":
                del left[each.name]
        gone = infos.keys() - left.keys()
        for info in left.values():
            assert not {f"{name[:32]}.narinfo" for name in info.references} & gone


# coverage


def test_closures_are_followed_through_the_cache_and_the_store() -> None:
    held = inventory(narinfo(1, 2, 3), narinfo(2))
    full = [f"/nix/store/{base_name(number)}" for number in range(10)]
    local = {
        full[3]: PathInfo(path=full[3], nar_hash="", nar_size=70, references=(full[4],)),
        full[4]: PathInfo(path=full[4], nar_hash="", nar_size=30, references=(full[4], full[5])),
    }

    def nowhere(_paths: object) -> frozenset[str]:
        return frozenset()

    found = cover("images.web", [full[1]], held, local, nowhere)
    assert (found.closure, found.present) == (5, 2)
    assert found.missing == {full[3]: 70, full[4]: 30, full[5]: None}
    assert found.missing_bytes is None
    assert not found.covered
    # What an upstream has, it has with all it refers to.
    found = cover(
        "images.web", [full[1]], held, local, lambda paths: frozenset({full[3]}) & {*paths}
    )
    assert (found.closure, found.present, found.upstream, found.covered) == (3, 2, 1, True)
    assert found.missing_bytes == 0
    assert cover("x", [full[2]], held, {}, nowhere).share == 1.0


# downloads


class Breaking:
    """A bucket whose downloads break off after ``each`` bytes, ``most`` times.

    It records the ranges of the requests.
    """

    location = CacheLocation.parse("s3://broken")

    def __init__(self, data: bytes, each: int, most: int) -> None:
        self.data, self.each, self.most = data, each, most
        self.tag = "one"
        self.ranges: list[str | None] = []

    def get(self, name: str, *, byte_range: str | None = None) -> Download | None:
        self.ranges.append(byte_range)
        start = int((byte_range or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        breaks = len(self.ranges) <= self.most
        body = Body(self.data[start:], self.each if breaks else None)
        return Download(size=len(self.data), content_range=None, etag=self.tag, body=body)


class Body(io.BytesIO):
    def __init__(self, data: bytes, limit: int | None) -> None:
        super().__init__(data)
        self.limit = limit

    def read(self, size: int | None = -1) -> bytes:
        if self.limit is not None and self.tell() >= self.limit:
            raise IncompleteReadError(actual_bytes=self.tell(), expected_bytes=10**6)
        return super().read(size if self.limit is None else self.limit)


def fetched(bucket: Breaking) -> bytes:
    return b"".join(download(bucket, "nar/x"))  # type: ignore[arg-type]


def test_a_download_that_breaks_off_continues_where_it_ended() -> None:
    bucket = Breaking(bytes(range(250)), each=30, most=7)
    assert fetched(bucket) == bytes(range(250))
    assert bucket.ranges == [None, *(f"bytes={30 * n}-" for n in range(1, 8))]


def test_a_download_without_any_bytes_is_an_error() -> None:
    bucket = Breaking(b"x" * 100, each=0, most=99)
    with pytest.raises(CacheError, match="nar/x"):
        fetched(bucket)
    assert len(bucket.ranges) == 6


def test_a_download_of_an_object_that_is_replaced_is_an_error() -> None:
    bucket = Breaking(b"x" * 100, each=30, most=1)
    pieces = download(bucket, "nar/x")  # type: ignore[arg-type]
    assert len(next(pieces)) == 30
    bucket.tag = "two"
    with pytest.raises(CacheError, match="was replaced while"):
        next(pieces)
