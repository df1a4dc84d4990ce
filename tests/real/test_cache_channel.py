"""A channel beside the cache: stock clients with an empty store substitute everything, and build nothing."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from emulated import conditional_writes
from store_folders import make_writable

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.serve.channel import REGISTRY, pack, publish, require_name, require_url
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.errors import CacheError, UsageError

pytestmark = pytest.mark.real

#: Another computer: nothing in its store, nothing of Debian's mirrors, only the cache and its key.
CLIENT = """
set -eu
mount --bind "$STORE" /nix
export HOME=$STORE/home TMPDIR=/nix/tmp NIX_PATH=/nix/var/nix/profiles/per-user/root/channels
export NIX_CONFIG="build-users-group =
substituters = $URL
trusted-public-keys = $KEY
require-sigs = true
sandbox = false
max-jobs = 1
flake-registry = $URL/flake-registry.json
experimental-features = nix-command flakes"
mkdir -p "$HOME" "$TMPDIR"
nix-channel --add "$URL/channels/pets" pets
nix-channel --add "$URL/channels/pets/nixexprs.tar.xz" again
nix-channel --update >&2
echo "build $(nix-build '<pets>' -A machines.web --no-out-link)"
echo "again $(nix-build '<again>' -A images.web --no-out-link)"
nix-env -iA pets.python3 >&2
echo "installed $(nix-env -q)"
echo "run $(nix run pets#python3 -- -c 'print(6 * 7)')"
echo "flake $(nix build --no-link --json "$URL/channels/pets/flake.tar.gz#image-web")"
"""


@pytest.fixture(scope="module")
def hello(example):
    nixgen = example("hello")
    infra = nixgen.folder / "infra.py"
    infra.write_text(
        infra.read_text().replace('    "hello",\n', '    "hello",\n    packages=[python],\n')
    )
    (nixgen.folder / "site/link").symlink_to("index.html")
    return nixgen


@pytest.fixture(scope="module")
def published(hello):
    # The block closes the pipes and waits, however long the server takes to end.
    with hello.start("cache", "serve", "--port", "0") as server:
        try:
            for line in server.stderr:
                if "substituters" in line:
                    break
            yield re.search(r"http://\S+", line)[0], hello.document("cache", "channel", "pets")
        finally:
            server.terminate()


def stored(hello, name):
    return (hello.folder / ".nixgen/s3/nixgen-cache" / name).read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts an empty store over /nix, which needs root")
def test_stock_clients_with_an_empty_store_build_nothing(hello, published, tmp_path):
    url, document = published
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", CLIENT],
        env={
            "PATH": os.environ["PATH"],
            "STORE": str(tmp_path),
            "URL": url,
            "KEY": (hello.folder / ".nixgen/cache.key.pub").read_text().strip(),
        },
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    make_writable(tmp_path)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said["build"] == document["targets"]["machines.web"]["out"]
    assert said["again"] == document["targets"]["images.web"]["out"]
    assert said["installed"].startswith("python3")
    assert said["run"] == "42"
    built = json.loads(said["flake"])
    assert built[0]["outputs"]["out"] == document["targets"]["images.web"]["out"]
    # builtins that unpack a channel and make a profile; no builder of ours ran
    builds = set(re.findall(r"building '\S+?-(\S+)\.drv'", done.stderr))
    assert builds == {"user-environment", "again"}


def test_the_addresses_are_those_of_the_server(published):
    url, document = published
    assert document["schema"] == "nixgen/channel/1"
    assert document["tarball"] == f"{url}/channels/pets/nixexprs.tar.xz"
    assert document["flake"] == f"{url}/channels/pets/flake.tar.gz"
    assert document["targets"]["python3"]["flake"] == "python3"
    assert document["uploaded"] == [
        "channels/pets/nixexprs.tar.xz", "channels/pets/flake.tar.gz",
        "flake-registry.json", "channels/pets/index.html",
    ]  # fmt: skip


def test_the_archive_contains_the_nix_files_and_nothing_of_this_computer(hello, published):
    with tarfile.open(fileobj=io.BytesIO(stored(hello, "channels/pets/flake.tar.gz"))) as tar:
        members = tar.getmembers()
        flake = tar.extractfile("pets/flake.nix").read().decode()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert {
        "pets/default.nix",
        "pets/project/debian.lock.json",
        "pets/project/site/index.html",
    } <= set(names)
    assert not [name for name in names if "infra.py" in name or ".nixgen" in name]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 1)}
    assert {m.linkname for m in members if m.issym()} == {"index.html"}
    assert published[0] in flake


def test_the_page_says_how_to_use_it(hello, published):
    _, document = published
    page = stored(hello, "channels/pets/index.html").decode()
    assert f"nix-channel --add {document['tarball']} pets" in page
    assert (hello.folder / ".nixgen/cache.key.pub").read_text().strip() in page
    assert document["targets"]["machines.web"]["out"] in page


def test_publishing_the_same_again_uploads_nothing(hello, published):
    assert hello.document("cache", "channel", "pets")["uploaded"] == []


def test_collection_keeps_the_paths_of_a_channel(hello, published):
    pins = hello.document("cache", "roots")["pins"]
    kept = next(each for each in pins if each["name"] == "channel-pets")
    assert set(kept["paths"]) == {each["out"] for each in published[1]["targets"].values()}


def test_another_channel_joins_the_registry(hello, published):
    done = hello("cache", "channel", "toys", "images", "--url", "https://cache.example.org/")
    assert (
        "nix registry add toys https://cache.example.org/channels/toys/flake.tar.gz" in done.stdout
    )
    flakes = json.loads(stored(hello, "flake-registry.json"))["flakes"]
    assert [each["from"]["id"] for each in flakes] == ["pets", "toys"]
    assert flakes[1]["to"] == {
        "type": "tarball", "url": "https://cache.example.org/channels/toys/flake.tar.gz",
    }  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(stored(hello, "channels/toys/flake.tar.gz"))) as tar:
        targets = tar.extractfile("toys/targets.nix").read().decode()
    assert "images" in targets
    assert "machines" not in targets


def test_sources_beside_the_project_are_in_the_archive(example):
    nixgen = example("hello")
    shutil.move(nixgen.folder / "site", nixgen.folder.parent / "site")
    infra = nixgen.folder / "infra.py"
    infra.write_text(infra.read_text().replace('Source("site")', 'Source("../site")'))
    nixgen.document("cache", "channel", "hello", "images")
    with tarfile.open(fileobj=io.BytesIO(stored(nixgen, "channels/hello/flake.tar.gz"))) as tar:
        names = tar.getnames()
    assert {"hello/project/site/index.html", "hello/project/project/generated/default.nix"} <= set(
        names
    )


def test_raw_modules_are_in_the_archive_with_the_files_that_they_name(example):
    nixgen = example("hello")
    infra = nixgen.folder / "infra.py"
    text = infra.read_text().replace("from nixgen import ", "from nixgen import NixModule, ")
    infra.write_text(
        text.replace('Machine("web",', 'Machine("web", modules=[NixModule("nix/motd.nix")],')
    )
    files = {
        "nix/motd.nix": "{ imports = [ ./more ]; }",
        "nix/more/default.nix": '{ environment.etc."motd".source = ../../texts/motd; }',
        "texts/motd": "be nice\n",
        "texts/other": "not read by anything",
    }
    for name, text in files.items():
        (nixgen.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (nixgen.folder / name).write_text(text)
    nixgen.document("cache", "channel", "hello", "machines")
    with tarfile.open(fileobj=io.BytesIO(stored(nixgen, "channels/hello/flake.tar.gz"))) as tar:
        names = {name.removeprefix("hello/project/") for name in tar.getnames()}
    assert names & files.keys() == {"nix/motd.nix", "nix/more/default.nix", "texts/motd"}


def test_a_secret_in_a_source_is_not_published(example, tmp_path, monkeypatch):
    """Also in one that no pushed path has: here the machine's, where only an image is published."""
    nixgen = example("hello")
    (tmp_path / "token").write_text("correct horse battery")
    monkeypatch.setenv("NIXGEN_SECRETS_DIR", str(tmp_path))
    (nixgen.folder / "site/notes.txt").write_text("correct horse battery")
    infra = nixgen.folder / "infra.py"
    text = infra.read_text().replace("from nixgen import ", "from nixgen import Secret, ")
    text = text.replace(
        "    ports=", '    secrets=[Secret("token", file="/run/token")],\n    ports='
    )
    text = text.replace("service=web)]", 'service=Service("idle", command=[python.program]))]')
    infra.write_text(text)
    done = nixgen("cache", "channel", "hello", "images", expect=1)
    assert "is in the channel hello: token" in done.stderr
    assert not list(nixgen.folder.glob(".nixgen/s3/*/channels"))


def test_a_channel_that_evaluates_to_other_paths_is_not_published(example):
    """The folder of the project is part of its own source here, under a name that clients cannot know."""
    nixgen = example("hello")
    infra = nixgen.folder / "infra.py"
    whole = 'Source("..", exclude=["infra.py", "generated", "__pycache__", "debian.lock.json"])'
    infra.write_text(
        infra.read_text().replace('Source("site")', whole.replace('"..", ', '"..", name="all", '))
    )
    done = nixgen("cache", "channel", "hello", "images", expect=1)
    assert "images.web of the channel would be /nix/store/" in done.stderr
    assert not list(nixgen.folder.glob(".nixgen/s3/*/channels"))


def test_the_same_files_give_the_same_bytes(tmp_path):
    def tree(folder: Path, *, late: bool) -> dict[str, bytes | Path]:
        folder.mkdir()
        (folder / "run").write_text("x")
        (folder / "run").chmod(0o777 if late else 0o700)
        if late:
            os.utime(folder / "run", (1, 1))
        names = {"a/run": folder / "run", "b": b"text", "a": folder}
        return dict(reversed(names.items())) if late else names

    first, second = tree(tmp_path / "1", late=False), tree(tmp_path / "2", late=True)
    assert pack("x", first) == pack("x", second)
    with tarfile.open(fileobj=io.BytesIO(pack("x", first))) as tar:
        assert {m.name: m.mode for m in tar} == {
            "x": 0o755,
            "x/a": 0o755,
            "x/a/run": 0o755,
            "x/b": 0o644,
        }


@conditional_writes
def test_channels_that_are_published_at_once_are_all_in_the_registry():
    names = [f"channel-{number}" for number in range(6)]
    with embedded_s3() as location, Bucket(location) as bucket, ThreadPoolExecutor(6) as pool:

        def put(name: str) -> tuple[str, ...]:
            archive = pack(name, {"default.nix": b"{ }"})
            return publish(bucket, name, archive=archive, index=b"", url="https://x")

        assert all(map(len, pool.map(put, names)))
        flakes = json.loads(bucket.read(REGISTRY))["flakes"]
        assert [each["from"]["id"] for each in flakes] == names
        assert put(names[0]) == ()
        bucket.put(REGISTRY, b"[]")
        with pytest.raises(CacheError, match="is no flake registry"):
            put(names[0])


@pytest.mark.parametrize("name", ["", "9lives", "a/b", "..", "a.b", "ä"])
def test_names_that_nix_does_not_accept_are_refused(name):
    with pytest.raises(UsageError, match="name of a channel"):
        require_name(name)


@pytest.mark.parametrize(
    "url", ["cache.example.org", "s3://x", "http://x/?a=b", 'http://x/"', "http://x/${y}"]
)
def test_wrong_urls_are_refused(url):
    with pytest.raises(UsageError, match="not the URL"):
        require_url(url)
    assert require_url("http://[::1]:80/a/") == "http://[::1]:80/a"
