"""Pushes despite errors, resets, throttling and lost answers; beside another push; and against an S3 that
refuses.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from built_tree import build_tree, copy_from, nar_hashes
from faulty_s3 import FaultyS3, faulty_s3

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.check.verify import verify
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.push import PushReport, push
from nixgen.cache.push.settings import UploadSettings
from nixgen.driver.store.store import Store
from nixgen.errors import CacheError

pytestmark = pytest.mark.real

KEY = SecretKey.generate("faults-1")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

EVERYTHING = {
    "error": 0.05,
    "throttle": 0.05,
    "reset": 0.05,
    "lost": 0.05,
    "truncated": 0.05,
    "slow": 0.02,
    "slow_seconds": 0.05,
}
"""A quarter of all requests fail, in one way or another."""


@pytest.fixture(scope="module")
def tree() -> dict[str, str]:
    return build_tree(60)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


@pytest.fixture
def s3(server: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> FaultyS3:
    """Empty, and without faults."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server.configure(clear=True, faults=None, refusal=None, kill=None, latency=0)
    return server


def push_to(s3: FaultyS3, *paths: str, level: int = 3) -> PushReport:
    settings = UploadSettings(codec=Codec.of("zstd", level))
    return push(paths, s3.location, [KEY], lambda _: None, settings=settings)


def assert_clean(s3: FaultyS3, *paths: str) -> None:
    """The cache holds these closures and nothing else, and `nixgen cache verify` finds nothing wrong in any byte."""
    assert s3.check(KEY.public).keys() == narinfos_of(*paths)
    with Bucket(s3.location) as bucket:
        found = verify(bucket, [KEY.public], lambda _: None)
    assert found.problems == ()
    assert found.paths == len(narinfos_of(*paths))
    assert found.archives.read == found.archives.stored > 0


def narinfos_of(*paths: str) -> set[str]:
    return {narinfo_name(info.path) for info in Store.of_host().closure(paths)}


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_push_succeeds_despite_faults(
    seed: int, tree: dict[str, str], s3: FaultyS3, record_property
) -> None:
    s3.configure(faults={**EVERYTHING, "seed": seed, "retry_after": int(seed == 5)})
    report = push_to(s3, tree["root"])
    injected = s3.state()["injected"]
    assert injected.keys() == EVERYTHING.keys() - {"slow_seconds"}, "a kind of fault never came"
    s3.configure(faults=None)
    assert_clean(s3, tree["root"])
    assert report.uploaded is not None
    assert report.uploaded.published == len(report.plan.missing)
    # Lost answers make us ask again; the server must not have stored anything under another's name.
    stored = s3.stored_nars()
    assert len(stored) == len(set(stored))
    said = ", ".join(f"{injected[kind]} {kind}" for kind in sorted(injected))
    record_property("faults", f"{said}: {report.uploaded.published} paths, {report.seconds:.1f} s")


@pytest.mark.parametrize("fault", ["error", "throttle", "reset", "lost", "truncated"])
def test_a_plan_is_right_despite_faults(fault: str, tree: dict[str, str], s3: FaultyS3) -> None:
    """A second push asks about what is there; it must not push on a wrong answer, nor leave anything out."""
    push_to(s3, *(tree[f"n{number}"] for number in range(0, 60, 3)))
    there = s3.check(KEY.public).keys()
    s3.configure(faults={fault: 0.3, "seed": 5})
    report = push_to(s3, tree["root"])
    s3.configure(faults=None)
    assert_clean(s3, tree["root"])
    assert {narinfo_name(info.path) for info in report.plan.missing} == narinfos_of(
        tree["root"]
    ) - there


def test_the_pace_adapts_to_a_server_that_throttles(tree: dict[str, str], s3: FaultyS3) -> None:
    """Half of all requests throttled, for a while: the push slows down, and comes through."""
    s3.configure(faults={"throttle": 0.5, "seed": 3, "retry_after": 0})
    ended = threading.Timer(2.0, lambda: s3.configure(faults=None))
    ended.start()
    try:
        push_to(s3, tree["root"])
    finally:
        ended.cancel()
        ended.join()
    s3.configure(faults=None)
    assert_clean(s3, tree["root"])


@pytest.mark.parametrize("seed", range(4))
def test_two_pushes_of_overlapping_closures_leave_a_consistent_cache(
    seed: int, tree: dict[str, str], s3: FaultyS3, record_property
) -> None:
    """Different levels: the same NAR has other bytes from each, and every narinfo must tell those that lie there."""
    # Fewer than above: which of the two meets a fault is not in the seed's hands, and six in a row end a push.
    few = dict.fromkeys(("error", "throttle", "reset", "lost", "truncated"), 0.02)
    s3.configure(faults={**few, "seed": seed} if seed else None, latency=0.002)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(push_to, s3, tree["root"], level=1)
        second = pool.submit(push_to, s3, tree["half"], level=9)
        reports = first.result(120), second.result(120)
    s3.configure(faults=None, latency=0)
    assert_clean(s3, tree["root"], tree["half"])
    stored = s3.stored_nars()
    assert len(stored) == len(set(stored))
    reused = sum(report.uploaded.reused for report in reports if report.uploaded)
    assert reused > 0, "they never met"
    record_property("faults", f"two pushers, {reused} NARs found to be the other's")


def test_nix_copies_a_closure_that_was_pushed_despite_faults(
    tree: dict[str, str], s3: FaultyS3, tmp_path: Path
) -> None:
    s3.configure(faults={**EVERYTHING, "seed": 21})
    push_to(s3, tree["root"], tree["half"])
    s3.configure(faults=None)
    store = tmp_path / "store"
    copy_from(s3.url, store, str(KEY.public), tree["root"], tree["half"])
    wanted = nar_hashes(tree["root"], tree["half"])
    assert nar_hashes(tree["root"], tree["half"], store=store) == wanted
    stranger = str(SecretKey.generate("faults-1").public)
    refused = copy_from(s3.url, tmp_path / "other", stranger, tree["root"], expect=1)
    assert re.search(
        "lacks a (valid signature|signature by a trusted key)",  # 2.8, 2.26
        refused.stderr,
    )
    for folder in (store, tmp_path / "other"):  # store paths are read-only
        for directory, _, _ in os.walk(folder):
            Path(directory).chmod(0o700)


# An S3 that refuses, through the command line


REFUSALS = {
    "wrong credentials": (403, "SignatureDoesNotMatch", (), "does not accept the credentials"),
    "unknown credentials": (403, "InvalidAccessKeyId", (), "does not accept the credentials"),
    "clock skew": (403, "RequestTimeTooSkewed", (), "clock is off"),
    "access denied": (403, "AccessDenied", (), "access is denied"),
    "read-only": (403, "AccessDenied", ("PUT", "POST"), "access is denied"),
    "disk full (MinIO)": (507, "XMinioStorageFull", ("PUT", "POST"), "no space left"),
    "disk full (500)": (500, "XMinioStorageFull", ("PUT", "POST"), "no space left"),
    "throttled for ever": (503, "SlowDown", (), "slow down"),
}


@pytest.fixture(scope="module")
def project(example):
    return example("hello")


def refused(project, address: str, tree: dict[str, str], **environment: str) -> tuple[str, float]:
    """`nixgen cache push` of the whole closure as a user meets it: its one line, and the seconds it took."""
    from attrs import evolve

    nixgen = evolve(project, environment={**CREDENTIALS, **environment})
    started = time.monotonic()
    done = nixgen("cache", "push", tree["root"], "--to", address, expect=3)
    seconds = time.monotonic() - started
    said = done.stderr.splitlines()
    errors = [line for line in said if line.startswith("error")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    # One line, and one with advice; before them at most how much there was to push.
    rest = said[said.index(errors[0]) + 1 :]
    assert len(rest) == 1, done.stderr
    assert rest[0].startswith("  hint: "), done.stderr
    assert len(said) <= 3, done.stderr
    assert seconds < 15, f"took {seconds:.0f} s: {done.stderr}"
    assert done.stdout == ""
    return errors[0], seconds


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_clear_line(
    case: str, tree: dict[str, str], s3: FaultyS3, project, record_property
) -> None:
    status, code, methods, expected = REFUSALS[case]
    s3.configure(refusal={"status": status, "code": code, "methods": methods})
    said, seconds = refused(project, s3.address, tree)
    assert expected in said
    record_property("faults", f"exit 3 after {seconds:.1f} s, {said}")


@pytest.mark.parametrize("moment", ["from the start", "half way"])
def test_a_full_disk_leaves_a_consistent_cache(
    moment: str, tree: dict[str, str], s3: FaultyS3, project
) -> None:
    if moment == "half way":
        push_to(s3, tree["n30"])
    s3.configure(refusal={"status": 507, "code": "XMinioStorageFull", "methods": ["PUT", "POST"]})
    refused(project, s3.address, tree)
    s3.configure(refusal=None)
    s3.check(KEY.public)
    push_to(s3, tree["root"])
    assert_clean(s3, tree["root"])


def test_a_missing_bucket_is_named(
    tree: dict[str, str], s3: FaultyS3, project, record_property
) -> None:
    said, seconds = refused(project, s3.address.replace("s3://cache", "s3://nowhere"), tree)
    assert "there is no bucket nowhere" in said
    record_property("faults", f"exit 3 after {seconds:.1f} s, {said}")


def test_an_endpoint_that_is_down_is_named(tree: dict[str, str], project, record_property) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said, seconds = refused(project, f"s3://cache?endpoint=http://127.0.0.1:{port}", tree)
    assert f"http://127.0.0.1:{port} does not answer" in said
    record_property("faults", f"exit 3 after {seconds:.1f} s, {said}")


def test_missing_credentials_are_named(
    tree: dict[str, str], s3: FaultyS3, project, tmp_path: Path, record_property
) -> None:
    nothing = dict.fromkeys(CREDENTIALS, "")
    nothing |= {
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    said, seconds = refused(project, s3.address, tree, **nothing)
    assert "no complete credentials" in said
    record_property("faults", f"exit 3 after {seconds:.1f} s, {said}")


def test_a_server_that_dies_during_a_push_gives_one_error(
    tree: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push ends with one error, soon, however many requests were under way."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with ThreadPoolExecutor(1) as pool, faulty_s3() as dying:
        dying.configure(latency=0.05)
        running = pool.submit(push_to, dying, tree["root"])
        while dying.state()["requests"].get("PUT", 0) < 40:
            assert not running.done()
            time.sleep(0.01)
        # Everything from here on is refused; the server's process ends with the block.
        dying.configure(refusal={"status": 500, "code": "InternalError"})
        started = time.monotonic()
        with pytest.raises(CacheError):
            running.result(60)
        assert time.monotonic() - started < 15
