"""A repeated push: it ends after one request to the cache, before anything is loaded. Any doubt leads to an
ordinary push.
"""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_s3 import FaultyS3, faulty_s3

from nixgen.cache.bucket.bucket import Bucket

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def hello(example):
    nixgen = example("hello")
    # as on a computer with credentials: nothing here checks them
    return type(nixgen)(
        folder=nixgen.folder,
        environment={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
    )


@pytest.fixture
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


@pytest.fixture
def pushed(hello, s3):
    hello("cache", "push", "--to", s3.address)
    # within a fifth of a second of a change nobody trusts the times of files
    hello("build")
    return hello


def paths(hello) -> int:
    """The number of paths in the closures of all targets."""
    outputs = [
        path for target in hello.document("build")["targets"] for path in target["outputs"].values()
    ]
    argv = ["nix-store", "-qR", *outputs]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return len(done.stdout.split())


def asked(s3: FaultyS3, run) -> tuple[str, list[str]]:
    before = len(s3.state()["log"])
    done = run()
    methods = [f"{method} {target}" for method, target, _ in s3.state()["log"][before:]]
    return done.stdout, methods


def test_a_repeated_push_sends_one_request(pushed, s3):
    said, requests = asked(s3, lambda: pushed("cache", "push", "--to", s3.address))
    assert said == f"{s3.address} has all {paths(pushed)} paths already\n"
    assert len(requests) == 1
    assert requests[0].startswith("GET /cache?list-type=2")
    memory = pushed.folder / ".nixgen/cache/pushed.json"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600


def test_a_repeated_push_of_store_paths_needs_no_project(pushed, s3, command_line, tmp_path):
    path = pushed.document("build", "machines.web")["targets"][0]["outputs"]["out"]
    outside = command_line(
        folder=tmp_path, environment={**pushed.environment, "XDG_CACHE_HOME": str(tmp_path / "c")}
    )
    words = (
        "cache",
        "push",
        path,
        "--to",
        s3.address,
        "--key",
        pushed.folder / ".nixgen/cache.key",
    )
    outside(*words)
    said, requests = asked(s3, lambda: outside(*words))
    assert "has all 33 paths already" in said
    assert len(requests) == 1


@pytest.mark.parametrize(
    "words",
    [["--dry-run"], ["--thorough"], ["--json"], ["machines.web"], ["--verify"], ["--env", "none"]],
)
def test_other_arguments_lead_to_an_ordinary_push(pushed, s3, words):
    expect = 2 if "--env" in words else 0
    _, requests = asked(
        s3, lambda: pushed("cache", "push", *words, "--to", s3.address, expect=expect)
    )
    assert expect or len(requests) > 1


def test_a_newer_or_lost_root_leads_to_an_ordinary_push(pushed, s3, monkeypatch):
    for name, value in pushed.environment.items():
        monkeypatch.setenv(name, value)
    time.sleep(1)  # generations of one second are in no order
    pushed("cache", "push", "machines.web", "--to", s3.address)
    said, requests = asked(s3, lambda: pushed("cache", "push", "--to", s3.address))
    assert f"has all {paths(pushed)} paths already" in said
    assert len(requests) > 3
    with Bucket(s3.location) as bucket:
        bucket.delete(list(bucket.names("nixgen/roots/")))
        bucket.delete([name for name in bucket.names() if name.endswith(".narinfo")])
    said, _ = asked(s3, lambda: pushed("cache", "push", "--to", s3.address))
    assert f"pushed {paths(pushed)} of {paths(pushed)} paths" in said


def test_a_cache_that_is_down_gives_the_usual_error(hello, tmp_path):
    with faulty_s3() as server:
        hello("cache", "push", "--to", server.address)
    done = hello("cache", "push", "--to", server.address, expect=3)
    assert "does not answer" in done.stderr


def test_an_edited_project_leads_to_an_ordinary_push(pushed, s3):
    page = pushed.folder / "site/index.html"
    before = page.read_text()
    page.write_text("Hello, changed")
    try:
        said, _ = asked(s3, lambda: pushed("cache", "push", "--to", s3.address))
    finally:
        page.write_text(before)
    assert "pushed " in said


def test_a_damaged_record_of_pushes_is_ignored(pushed, s3):
    memory: Path = pushed.folder / ".nixgen/cache/pushed.json"
    for text in ("", "[]", "{}", json.dumps({"schema": "nixgen/pushed/1", "pushes": [1]})):
        memory.write_text(text)
        said, _ = asked(s3, lambda: pushed("cache", "push", "--to", s3.address))
        assert f"has all {paths(pushed)} paths already" in said
