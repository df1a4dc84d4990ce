"""Another computer with an empty store: paths that the cache has are fetched, and not built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.cache.serve.http import CacheServer

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="mounts an empty store over /nix, which needs root"
    ),
]


@pytest.fixture(scope="module")
def hello(example):
    return example("hello")


@pytest.fixture(scope="module")
def cache(hello):
    with embedded_s3() as location:
        hello("cache", "push", "--to", location)
        yield str(location)


def elsewhere(hello, store, *arguments, expect=0):
    """The same project with an empty store, and nothing remembered but its keys."""
    folder = store.parent / "project"
    shutil.copytree(hello.folder, folder, ignore=shutil.ignore_patterns(".nixgen"))
    (folder / ".nixgen").mkdir()
    for key in (hello.folder / ".nixgen").glob("cache.key*"):
        shutil.copy(key, folder / ".nixgen")
    store.mkdir(parents=True)
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /nix && exec "$@"'),
            *(store, *hello.program, *arguments),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def test_an_empty_store_is_filled_without_building(hello, cache, tmp_path):
    done = elsewhere(hello, tmp_path / "store", "build", "--from", cache, "--jobs", "0", "--json")
    targets = json.loads(done.stdout)["targets"]
    assert {each["attr"] for each in targets} == {"machines.web", "images.web"}
    here = hello.document("build")["targets"]
    assert [each["outputs"] for each in targets] == [each["outputs"] for each in here]


def test_an_empty_store_is_filled_from_a_cache_that_is_served_over_http(hello, cache, tmp_path):
    with CacheServer(CacheLocation.parse(cache)) as server:
        done = elsewhere(
            hello, tmp_path / "store", "build", "--from", server.url, "--jobs", "0", "--json"
        )
    assert json.loads(done.stdout)["targets"]
    refused = elsewhere(
        hello, tmp_path / "empty" / "store", "build", "--from", server.url, "--jobs", "0", expect=3
    )
    assert f"error: there is no binary cache at {server.url}" in refused.stderr


def test_paths_with_the_signature_of_another_key_are_not_substituted(hello, cache, tmp_path):
    hello("cache", "keygen", "other-1", "--out", tmp_path / "other")
    done = elsewhere(
        hello, tmp_path / "store",
        "build", "--from", cache, "--jobs", "0", "--trust", tmp_path / "other.pub", expect=1,
    )  # fmt: skip
    assert "error: the cache is signed by hello-1, and only other-1 is trusted:" in done.stderr
    assert "--trust NAME:BASE64" in done.stderr
    assert "derivations were deleted" not in done.stderr
    assert "Task queue" not in done.stderr
    assert "Traceback" not in done.stderr


def test_warming_substitutes_paths_that_the_cache_has(hello, cache, tmp_path):
    web = hello.document("build", "machines.web")["targets"][0]["outputs"]["out"]
    with embedded_s3() as other:
        # all but the targets themselves is in the cache already
        closure = subprocess.run(
            ["nix-store", "--query", "--references", web],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        hello("cache", "push", *closure, "--to", other)
        warm = ("cache", "warm", "machines.web", "--to", str(other), "--verbose")
        done = elsewhere(hello, tmp_path / "store", *warm)
        assert "fetched" in done.stderr
        status = hello.document("cache", "status", str(other), "machines.web")
        assert status["targets"]["machines.web"]["missing"] == []
