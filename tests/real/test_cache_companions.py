"""The objects beside a narinfo: listings, build logs, and realisations of content-addressed outputs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.format.listing import nar_listing
from nixgen.cache.format.nar import write_nar
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.push import push
from nixgen.cache.push.settings import UploadSettings
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.cache.serve.http import CacheServer
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.store.store import Store
from nixgen.programs.observer import ignore

pytestmark = pytest.mark.real

KEY = SecretKey.generate("test-1")
OPTIONS = (
    *NixOptions.of_host().arguments,
    *("--option", "sandbox", "false"),
    *("--option", "extra-experimental-features", "nix-command ca-derivations"),
)
EXPRESSION = """
let
  make = name: script: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" ("PATH=/bin:/usr/bin; " + script) ];
  } // %s);
in make "companions-top" ''
  echo building the top; mkdir -p $out/bin $out/empty; ln -s bin $out/link
  echo ${make "companions-dep" "echo dep > $out"} > $out/bin/run; chmod +x $out/bin/run; echo x > $out/data
''
"""
ADDRESSED = (
    '{ __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; }'
)


def build(extra: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nix-build", "--no-out-link", "-E", EXPRESSION % extra, *OPTIONS, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NIX_REMOTE": ""},
    )


def built(extra: str) -> str:
    done = build(extra)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def location() -> Iterator[CacheLocation]:
    with embedded_s3() as location:
        yield location


def test_a_listing_gives_the_offset_of_each_file_in_the_archive(tmp_path: Path) -> None:
    path = built("{ }")
    root = json.loads(nar_listing(path))["root"]
    assert set(root["entries"]) == {"bin", "empty", "link", "data"}
    assert root["entries"]["empty"] == {"type": "directory", "entries": {}}
    assert root["entries"]["link"] == {"type": "symlink", "target": "bin"}
    run = root["entries"]["bin"]["entries"]["run"]
    assert run["executable"] is True
    assert "executable" not in root["entries"]["data"]
    archive = b"".join(write_nar(path))
    for name, node in {"bin/run": run, "data": root["entries"]["data"]}.items():
        start = node["narOffset"]
        assert archive[start : start + node["size"]] == (Path(path) / name).read_bytes()
    # and it is what Nix writes
    subprocess.run(
        [
            *("nix", "copy", *OPTIONS, "--no-check-sigs", path, "--to"),
            f"file://{tmp_path}/cache?write-nar-listing=true",
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "NIX_REMOTE": ""},
    )
    theirs = tmp_path / "cache" / f"{Path(path).name[:32]}.ls"
    assert json.loads(nar_listing(path)) == json.loads(theirs.read_text())


def test_listings_and_logs_are_pushed_on_request(location: CacheLocation, tmp_path: Path) -> None:
    path = built("{ }")
    drv = Store.of_host().info([path])[0].deriver
    assert drv is not None
    push([path], location, [KEY], ignore, settings=UploadSettings(listings=True, logs=True))
    with Bucket(location) as bucket:
        assert bucket.read(f"{Path(path).name[:32]}.ls") == nar_listing(path)
        assert bucket.read(f"log/{Path(drv).name}") == b"building the top\n"
        assert len(list(bucket.names("log/"))) == 2
    with CacheServer(location) as server:
        said = subprocess.run(
            ["nix", "log", *OPTIONS, "--option", "substituters", server.url, drv],
            capture_output=True,
            text=True,
            check=False,
            # no logs of its own, so that it asks the cache
            env={
                **os.environ,
                "XDG_CACHE_HOME": str(tmp_path),
                "NIX_LOG_DIR": str(tmp_path),
                "NIX_REMOTE": "",
            },
        )
    assert "building the top" in said.stdout, said.stderr


def test_without_a_request_no_listing_or_log_is_pushed(location: CacheLocation) -> None:
    push([built("{ }")], location, [KEY], ignore)
    with Bucket(location) as bucket:
        assert not [name for name in bucket.names() if name.startswith("log/") or ".ls" in name]


def test_content_addressed_outputs_are_substituted_not_built(
    location: CacheLocation, tmp_path: Path
) -> None:
    path = built(ADDRESSED)
    known = Store.of_host().realisations([path])
    assert known
    push([path], location, [KEY], ignore)
    with Bucket(location) as bucket:
        assert f"realisations/{known[0].id}.doi" in set(bucket.names("realisations/"))
    with CacheServer(location) as server:
        done = build(
            ADDRESSED,
            *("--store", str(tmp_path / "root")),
            *("--option", "substituters", server.url),
            *("--option", "trusted-public-keys", str(KEY.public)),
            *("--option", "require-sigs", "true", "--max-jobs", "0"),
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == path
    assert (tmp_path / "root" / path.lstrip("/") / "data").read_text() == "x\n"


def test_a_second_push_writes_no_realisation_again(location: CacheLocation) -> None:
    path = built(ADDRESSED)
    push([path], location, [KEY], ignore)
    with Bucket(location) as bucket:
        before = {found.name: found.modified for found in bucket.objects("realisations/")}
        push([path], location, [KEY], ignore)
        assert {found.name: found.modified for found in bucket.objects("realisations/")} == before
