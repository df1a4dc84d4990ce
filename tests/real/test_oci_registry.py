"""Pushes to Debian's docker-registry on loopback, read with skopeo."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from nixgen.errors import EngineError, UsageError
from nixgen.oci.plan.spec import ImageSpec, PathEntry
from nixgen.oci.ship.registry import Destination, push
from nixgen.oci.write.build import write_images

NAME = "0000000000000000000000000000000a-thing"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed: apt-get install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", config], stdout=log, stderr=log) as child,
    ):
        try:
            wait_for(f"http://{address}/v2/", child)
            yield address
        finally:
            child.terminate()


def wait_for(url, child):
    end = time.monotonic() + 15
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def image(tmp_path):
    store = tmp_path / "store"
    (store / NAME).mkdir(parents=True)
    (store / NAME / "data").write_bytes(bytes(range(256)) * 40_000)
    root = tmp_path / "root"
    root.mkdir()
    spec = ImageSpec(
        name="thing",
        tag="1",
        architecture="amd64",
        os="linux",
        config={"Cmd": ["/x"]},
        root=str(root),
        closure=(
            PathEntry(
                path=f"/nix/store/{NAME}", nar_hash="sha256:1", nar_size=10_240_000, references=()
            ),
            PathEntry(path=str(root), nar_hash="sha256:2", nar_size=96, references=()),
        ),
    )
    return write_images([spec], tmp_path / "out", tmp_path / "state", store=store)[0]


@pytest.mark.real
def test_a_second_push_sends_no_blob(registry, image, tmp_path):
    place = Destination.parse(f"{registry}/team/{tmp_path.name.lower()}:v1")
    first = push(image.layout, place)
    assert first.digest == image.digest
    assert first.sent >= image.size
    seen = []
    again = push(image.layout, place, lambda digest, size, sent: seen.append((digest, size, sent)))
    assert again.sent == 0
    assert again.skipped == first.sent
    assert len(seen) == len(image.layers) + 1
    assert not any(sent for _, _, sent in seen)
    if shutil.which("skopeo"):
        shown = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", f"docker://{place}"],
            check=True,
            capture_output=True,
        )
        assert json.loads(shown.stdout)["Digest"] == image.digest


@pytest.mark.real
def test_a_damaged_blob_is_refused_by_the_registry(registry, image, tmp_path):
    blob = image.layout / "blobs" / "sha256" / image.layers[0].info.digest.removeprefix("sha256:")
    size = blob.stat().st_size
    blob.unlink()
    blob.write_bytes(bytes(size))
    with pytest.raises(EngineError, match="answered 400"):
        push(image.layout, Destination.parse(f"{registry}/damaged-{tmp_path.name.lower()}"))


def test_a_registry_that_does_not_answer_is_an_error(image):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = Destination.parse(f"127.0.0.1:{free.getsockname()[1]}/thing")
    with pytest.raises(EngineError, match="cannot be reached"):
        push(image.layout, place)


def test_places_in_a_registry():
    place = Destination.parse("images.example:5000/team/api:v2")
    assert (place.host, place.repository, place.tag) == ("images.example:5000", "team/api", "v2")
    assert place.url == "https://images.example:5000/v2/team/api"
    assert Destination.parse("localhost:5000/api").url == "http://localhost:5000/v2/api"
    assert Destination.parse("localhost:5000/api").tag == "latest"


@pytest.mark.parametrize("text", ["", "api", "host/API", "http://host/api", "host/api:", "host/"])
def test_text_that_is_no_place_in_a_registry(text):
    with pytest.raises(UsageError):
        Destination.parse(text)
