"""The images of examples/shop follow OCI, are equal everywhere, and run in a real engine."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.request
from pathlib import Path

import pytest

from nixgen.errors import EngineError
from nixgen.oci.ship.engine import find_engine, remove_storage
from nixgen.programs.command import Command
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def port():
    """Containers share this computer's network, and 8080 is often taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def shop(example, port):
    nixgen = example("shop")
    infra = nixgen.folder / "infra.py"
    infra.write_text(infra.read_text().replace("8080", str(port)))
    return nixgen


@pytest.fixture(scope="module")
def images(shop):
    document = shop.document("image", "build")
    return {image["name"]: image for image in document["images"]}


def blobs(image):
    return Path(image["layout"], "blobs/sha256")


def test_the_layouts_follow_the_oci_specification(images):
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed (apt-get install skopeo)")
    assert list(images) == ["api", "redis"]
    for image in images.values():
        shown = subprocess.run(
            ["skopeo", "inspect", f"oci:{image['layout']}:{image['ref']}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        inspected = json.loads(shown.stdout)
        assert inspected["Digest"] == image["digest"]
        assert inspected["Layers"] == [layer["digest"] for layer in image["layers"]]


def test_images_share_layers(images):
    layers = {
        name: {layer["digest"] for layer in image["layers"]} for name, image in images.items()
    }
    assert layers["api"] & layers["redis"]


def test_no_layer_is_in_the_store(images, shop):
    """What Nix builds is a description: its closure is packages and links, no archive of them."""
    for attr in ("images.api", "images.redis"):
        out = (shop.folder / ".nixgen/gcroots" / attr).readlink()
        paths = subprocess.run(
            ["nix-store", "--query", "--requisites", out],
            check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        assert len(paths) > 3
        for path in map(Path, paths):
            # an archive would be as large as what it holds
            if path.is_file() and path.stat().st_size > 10_000:
                assert not tarfile.is_tarfile(path), path
        spec = json.loads(out.read_bytes())
        assert out.stat().st_size < 100_000
        assert {entry["path"] for entry in spec["closure"]} < set(paths)


def test_another_folder_gives_the_same_digest(example, shop, images, tmp_path):
    elsewhere = example("shop", source=shop.folder)
    again = elsewhere.document("image", "build", "--out", tmp_path / "out")["images"]
    assert {image["name"]: image["digest"] for image in again} == {
        name: image["digest"] for name, image in images.items()
    }
    assert {Path(image["layout"]).parent for image in again} == {tmp_path / "out"}
    assert not any(layer["reused"] for layer in again[0]["layers"])


def test_building_again_writes_nothing(shop, images):
    again = shop.document("image", "build", "images.api")["images"]
    assert [(image["name"], image["changed"]) for image in again] == [("api", False)]
    assert all(layer["reused"] for layer in again[0]["layers"])


@pytest.fixture(scope="module")
def engine(shop):
    """The engine as `nixgen image run` finds it in this project."""
    runner = SubprocessRunner()
    try:
        found = find_engine(runner, shop.folder / ".nixgen/containers")
    except EngineError as error:
        pytest.skip(f"{error}: {'; '.join(error.details)}")
    yield found
    remove_storage(found, runner)


@pytest.mark.engine
def test_a_container_answers_and_is_gone_afterwards(shop, images, engine, port):
    container = shop.start("image", "run", "images.api")
    try:
        greeting = answer(f"http://127.0.0.1:{port}/", container)
        health = answer(f"http://127.0.0.1:{port}/healthz", container)
    finally:
        container.send_signal(signal.SIGINT)
        _, said = container.communicate(timeout=60)
    # what examples/shop's own test, and tests/vm/test_shop_fault.py, say of the same service on a machine
    assert (greeting, health) == ("Hello World!\n", "ok\n")
    assert container.returncode in (0, 130), said
    left = SubprocessRunner().run(
        Command(argv=(*engine.command, "ps", "--all", "--quiet"), deadline=60)
    )
    assert (left.status, left.text) == (0, "")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def answer(url, container):
    for _ in range(240):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            return response.read().decode()
        if container.poll() is not None:
            pytest.fail(container.stderr.read())
        time.sleep(0.25)
    pytest.fail(f"{url} did not answer within a minute")
