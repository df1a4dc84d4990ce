"""From a build to another computer: push to S3, serve, and a stock Nix substitutes into an empty store."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

PUSHED = ("machines", "images")


@pytest.fixture(scope="module")
def shop(example):
    nixgen = example("shop")
    nixgen.document("build", *PUSHED)
    return nixgen


@pytest.fixture(scope="module")
def pushed(shop):
    return shop.document("cache", "push", *PUSHED)


@pytest.fixture(scope="module")
def served(shop, pushed):
    """`nixgen cache serve`, until the tests are over: (its URL for any Nix, the S3 behind it)."""
    server = shop.start("cache", "serve", "--embedded", ".nixgen/s3", "--port", "0")
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if "substituters" in line:
                break
        else:
            pytest.fail("".join(said))
        yield re.search(r"http://\S+", said[-1])[0], re.search(r"--to '(\S+)'", "".join(said))[1]
    finally:
        server.terminate()
        server.communicate(timeout=120)
    assert server.returncode in (0, 128 + 15)


@pytest.fixture(scope="module")
def url(served):
    return served[0]


@pytest.fixture
def store(tmp_path):
    """A store with nothing in it."""
    folder = tmp_path / "store"
    yield folder
    # store paths are read-only
    for directory, _, _ in os.walk(folder):
        Path(directory).chmod(0o700)
    shutil.rmtree(folder)


def substitute(store, url, key, *paths):
    return subprocess.run(
        [
            "nix-store", "--store", store, "--realise", *paths,
            "--option", "substituters", url,
            "--option", "require-sigs", "true",
            "--option", "trusted-public-keys", key,
            "--option", "build-users-group", "",
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def paths_of(shop):
    roots = sorted((shop.folder / ".nixgen/gcroots").iterdir())
    return [str(link.readlink()) for link in roots]


def closure(paths):
    listed = subprocess.run(
        ["nix-store", "--query", "--requisites", *paths], check=True, capture_output=True, text=True
    )
    return set(listed.stdout.split())


def test_a_stock_nix_that_requires_signatures_gets_the_closure(shop, url, store):
    key = (shop.folder / ".nixgen/cache.key.pub").read_text().strip()
    done = substitute(store, url, key, *paths_of(shop))
    assert done.returncode == 0, done.stderr
    wanted = closure(paths_of(shop))
    found = {f"/nix/store/{path.name}" for path in (store / "nix/store").iterdir()}
    assert found - {"/nix/store/.links"} == wanted
    verified = subprocess.run(
        ["nix-store", "--store", store, "--verify", "--check-contents"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr


def test_another_key_is_refused(shop, url, store, tmp_path):
    shop("cache", "keygen", "stranger-1", "--out", tmp_path / "stranger")
    key = (tmp_path / "stranger.pub").read_text().strip()
    wanted = paths_of(shop)[0]
    done = substitute(store, url, key, wanted)
    assert done.returncode != 0
    assert "trusted-public-keys" in done.stderr
    assert not (store / wanted.removeprefix("/")).exists()


def test_pushing_again_uploads_nothing(shop, pushed):
    again = shop.document("cache", "push", *PUSHED)
    assert again["closure"] == pushed["closure"] == len(closure(paths_of(shop)))
    assert pushed["uploaded"]["paths"] == len(pushed["missing"]) > 0
    assert again["missing"] == []
    assert (again["uploaded"]["paths"], again["uploaded"]["fileBytes"]) == (0, 0)


def test_a_dry_run_uploads_nothing(example, shop):
    fresh = example("shop", source=shop.folder)
    shown = fresh("cache", "push", "images.redis", "--dry-run").stdout
    assert re.match(r"would push \d+ of \d+ paths", shown)
    assert not list(fresh.folder.glob(".nixgen/s3/**/*.narinfo"))


def test_a_push_in_a_log_has_a_line_for_each_path_only_with_verbose(example, shop):
    pushed_paths, lines = [], []
    for words in ((), ("--verbose",)):
        fresh = example("shop", source=shop.folder)
        done = fresh("cache", "push", "images.redis", *words)
        pushed_paths.append(int(re.match(r"pushed (\d+) of \d+ paths", done.stdout)[1]))
        lines.append(sum(line.startswith("pushed ") for line in done.stderr.splitlines()))
    assert pushed_paths[0] == pushed_paths[1] > 5
    assert lines == [0, pushed_paths[1]]


def test_a_build_pushes_to_the_address_that_serve_names(shop, served):
    done = shop("build", "machines.db", "--push", served[1])
    assert re.search(r"s3://\S+ has all \d+ paths already", done.stdout)
