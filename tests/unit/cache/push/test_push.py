"""Pushes without Nix: a store made of files, and the loopback S3 of the benchmarks."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faulty_s3 import FaultyS3
from local_store import LocalStore, local_store

from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.archive import FRAME
from nixgen.cache.push.push import PushReport, push
from nixgen.cache.push.settings import UploadSettings
from nixgen.errors import VerifyError

KEY = SecretKey.generate("push-1")
LARGE = random.Random(1).randbytes(FRAME + (1 << 20))
"""More than one frame of bytes that compression cannot make smaller, so it is sent in parts."""


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    """A store with app → library, app → large, and alone, which has no references."""
    return local_store(
        tmp_path,
        {"library": b"l" * 1_000, "app": b"app", "large": LARGE, "alone": b"alone"},
        {"app": ["library", "large"]},
    )


def push_to(s3: FaultyS3, local: LocalStore, *names: str, verify: bool = False) -> PushReport:
    return push(
        [local.paths[name] for name in names],
        s3.location,
        [KEY],
        lambda _: None,
        settings=UploadSettings(verify=verify),
        store=local.store,
    )


def published(s3: FaultyS3) -> set[str]:
    return {narinfo.store_path for narinfo in s3.check(KEY.public).values()}


def test_a_closure_is_pushed_and_pushed_only_once(s3: FaultyS3, local: LocalStore) -> None:
    first = push_to(s3, local, "app")
    wanted = {local.paths[name] for name in ("library", "large", "app")}
    assert {info.path for info in first.plan.missing} == published(s3) == wanted
    again = push_to(s3, local, "app", "alone")
    assert [info.path for info in again.plan.missing] == [local.paths["alone"]]
    assert published(s3) == wanted | {local.paths["alone"]}


# a NAR pads a file's bytes to a multiple of eight: sizes that differ by less show only in the hash
@pytest.mark.parametrize("length", [0, 500, 992, 1_001])
def test_a_path_of_another_size_is_refused_by_an_ordinary_push(
    length: int, s3: FaultyS3, local: LocalStore
) -> None:
    local.file("library").write_bytes(b"l" * length)
    with pytest.raises(VerifyError, match="library is corrupt") as refused:
        push_to(s3, local, "app", "alone")
    assert "--repair-path" in (refused.value.hint or "")
    # neither the damaged path nor the one that refers to it
    assert published(s3) == {local.paths[name] for name in ("large", "alone")}


@pytest.mark.parametrize("size", [len(LARGE) - FRAME, len(LARGE) - 8, len(LARGE) + 8])
def test_a_large_path_of_another_size_is_refused_before_its_parts_become_an_object(
    size: int, s3: FaultyS3, local: LocalStore
) -> None:
    local.file("large").write_bytes((LARGE + bytes(8))[:size])
    with pytest.raises(VerifyError, match="large is corrupt"):
        push_to(s3, local, "large")
    assert published(s3) == set()
    assert s3.stored_nars() == []


def test_bytes_of_the_right_size_are_compared_on_request(s3: FaultyS3, local: LocalStore) -> None:
    local.file("library").write_bytes(b"x" * 1_000)
    with pytest.raises(VerifyError, match="library is corrupt"):
        push_to(s3, local, "library", verify=True)
    assert published(s3) == set()


@pytest.mark.parametrize("fault", ["lost", "error", "reset", "truncated"])
def test_completing_a_multipart_upload_survives_a_fault(
    fault: str, s3: FaultyS3, local: LocalStore
) -> None:
    """After a lost answer S3 no longer knows the upload, and the object is complete."""
    s3.configure(faults={fault: 1.0, "only": r"POST .*[?&]uploadId=", "first": 1})
    push_to(s3, local, "large")
    assert s3.state()["injected"] == {fault: 1}
    assert published(s3) == {local.paths["large"]}
