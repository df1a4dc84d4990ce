"""An image of a real store path, read by skopeo and GNU tar, and run by a container engine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import evolve
from hostile import CHANGES

from nixgen.errors import EngineError
from nixgen.oci.plan.spec import parse_spec
from nixgen.oci.ship.engine import find_engine, load, remove_storage, run
from nixgen.oci.write.build import write_images
from nixgen.oci.write.codec import Codec
from nixgen.programs.command import Command
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

BUSYBOX = Path("/bin/busybox")


def nix(*argv):
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def add(tree):
    return nix("nix-store", "--add", str(tree))


def entry(path):
    return {
        "path": path,
        "narHash": nix("nix-store", "--query", "--hash", path),
        "narSize": int(nix("nix-store", "--query", "--size", path)),
        "references": nix("nix-store", "--query", "--references", path).splitlines(),
    }


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """busybox as a web server and a shell, with a root tree that has links and files."""
    # ldd fails for a static program, and only then is the closure busybox alone.
    if (
        not BUSYBOX.exists()
        or subprocess.run(["ldd", BUSYBOX], check=False, capture_output=True).returncode == 0
    ):
        pytest.skip("no static busybox at /bin/busybox: apt-get install busybox-static")
    top = tmp_path_factory.mktemp("trees")
    box = top / "box"
    (box / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, box / "bin" / "busybox")
    for name in ("sh", "httpd", "cat", "id", "stat", "touch", "echo", "sleep"):
        (box / "bin" / name).symlink_to("busybox")
    box_path = add(box)
    root = top / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
    (root / "srv").mkdir()
    (root / "srv" / "index.html").write_text("Hello Image!\n")
    (root / "bin").symlink_to(f"{box_path}/bin")
    document = {
        "schema": "nixgen/image/1",
        "name": "tiny",
        "tag": "test",
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": [f"{box_path}/bin/busybox"],
            "Env": ["PATH=/bin"],
            "User": "1000:1000",
        },
        "root": add(root),
        "closure": [],
    }
    document["closure"] = [entry(box_path), entry(document["root"])]
    return parse_spec(json.dumps(document), source="test")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    try:
        found = find_engine(SubprocessRunner(), tmp_path_factory.mktemp("engine") / "storage")
    except EngineError as error:
        pytest.skip(f"{error}: {'; '.join(error.details)}")
    yield found
    remove_storage(found, SubprocessRunner())
    assert found.storage is None or not found.storage.exists()


@pytest.mark.parametrize("codec", list(Codec))
def test_skopeo_reads_the_layout(spec, tmp_path, codec):
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed (apt-get install skopeo)")
    report = write_images([spec], tmp_path / "out", tmp_path / "state", codec=codec)[0]
    shown = json.loads(nix("skopeo", "inspect", f"oci:{report.layout}:{report.ref}"))
    assert shown["Digest"] == report.digest
    assert shown["Layers"] == [layer.info.digest for layer in report.layers]
    # A copy makes skopeo check every digest; docker-archive, the uncompressed ones too, but it knows no zstd.
    target = (
        f"docker-archive:{tmp_path}/image.tar" if codec is Codec.GZIP else f"dir:{tmp_path}/copy"
    )
    nix("skopeo", "copy", "--quiet", f"oci:{report.layout}:{report.ref}", target)


def test_gnu_tar_lists_the_layers(spec, tmp_path):
    report = write_images([spec], tmp_path / "out", tmp_path / "state", codec=Codec.GZIP)[0]
    blobs = report.layout / "blobs" / "sha256"
    listed = [
        nix("tar", "-tzvf", str(blobs / layer.info.digest.removeprefix("sha256:")))
        for layer in report.layers
    ]
    assert "/bin/sh -> busybox" in listed[0]
    assert "drwxrwxrwt" in listed[-1]
    assert not any("image-root" in text or spec.root.removeprefix("/") in text for text in listed)


def test_two_builds_have_one_digest(spec, tmp_path):
    one = write_images([spec], tmp_path / "a", tmp_path / "sa")[0]
    two = write_images([spec], tmp_path / "b", tmp_path / "sb")[0]
    assert one.digest == two.digest


def test_a_build_adds_nothing_to_the_store(spec, tmp_path):
    """Other builds may use the store meanwhile, so only paths that begin with the image's name count."""
    write_images([spec], tmp_path / "out", tmp_path / "state")
    assert not [path for path in Path("/nix/store").iterdir() if path.name[33:].startswith("tiny")]


def test_skopeo_reads_hostile_text_of_a_configuration_as_it_was(spec, tmp_path):
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed (apt-get install skopeo)")
    texts = [f"{start}text{end}" for start, end in CHANGES if "\0" not in end]
    config = {
        **spec.config,
        "Entrypoint": [*spec.config["Entrypoint"], *texts],
        "Env": [f"V{number}={each}" for number, each in enumerate(texts)],
        "Labels": {each: each for each in texts},
        "WorkingDir": "/" + "".join(texts),
    }
    changed = evolve(spec, config=config)
    report = write_images([changed], tmp_path / "out", tmp_path / "state")[0]
    read = json.loads(nix("skopeo", "inspect", "--config", f"oci:{report.layout}:{report.ref}"))
    assert {name: read["config"][name] for name in config} == config


@pytest.mark.engine
def test_an_image_runs(spec, engine, tmp_path):
    runner = SubprocessRunner()
    report = write_images([spec], tmp_path / "out", tmp_path / "state")[0]
    image = load(report.layout, engine, runner)
    assert image == "localhost/tiny:test"
    assert load(report.layout, engine, runner) == image  # again: nothing to do
    script = 'id -u; cat /srv/index.html; stat -c %a /tmp; touch /tmp/x && echo "$GREETING $0"'
    with run(
        image, engine, runner, args=("sh", "-c", script, "zero"), env={"GREETING": "hi there"}
    ) as box:
        assert box.wait(60) == 0
        assert box.logs().split("\n") == ["1000", "Hello Image!", "1777", "hi there zero", ""]


@pytest.mark.engine
def test_a_container_serves_and_is_removed_afterwards(spec, engine, tmp_path):
    runner = SubprocessRunner()
    report = write_images([spec], tmp_path / "out", tmp_path / "state")[0]
    image = load(report.layout, engine, runner)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    args = ("httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/srv")
    with suppress(ZeroDivisionError), run(image, engine, runner, args=args) as box:
        body = fetch(f"http://127.0.0.1:{port}/index.html")
        assert body == b"Hello Image!\n"
        assert box.running()
        assert box.run("cat", "/etc/passwd").stdout.startswith(b"root:")
        raise ZeroDivisionError
    assert not box.running()
    left = runner.run(Command(argv=(*engine.command, "ps", "--all", "--quiet")))
    assert box.id[:12] not in left.text


@pytest.mark.engine
def test_a_wait_for_a_container_has_a_limit(spec, engine, tmp_path):
    runner = SubprocessRunner()
    report = write_images([spec], tmp_path / "out", tmp_path / "state")[0]
    image = load(report.layout, engine, runner)
    script = "echo still here; exec sleep 600"
    with run(image, engine, runner, args=("sh", "-c", script)) as box:
        with pytest.raises(EngineError, match="still runs after 1 s") as caught:
            box.wait(1)
        assert "still here" in caught.value.details
    assert not box.running()


@pytest.mark.engine
def test_a_missing_program_is_an_error(spec, engine, tmp_path):
    runner = SubprocessRunner()
    gone = pytest.raises(EngineError, match="create a container of localhost/absent")
    with gone, run("localhost/absent", engine, runner):
        pytest.fail("ran an image that does not exist")


@pytest.mark.engine
def test_a_directory_that_is_no_layout(engine, tmp_path):
    with pytest.raises(EngineError, match="not an OCI layout"):
        load(tmp_path, engine, SubprocessRunner())


def fetch(url):
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
