"""Pushes of a layout to a registry in memory: requests, bytes, and messages of refusals."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from memory_registry import MemoryRegistry, memory_registry

from nixgen.errors import EngineError, UsageError
from nixgen.oci.plan.spec import ImageSpec, PathEntry
from nixgen.oci.ship import registry as module
from nixgen.oci.ship.registry import Destination, PushReport, push
from nixgen.oci.write.blob import LayerInfo
from nixgen.oci.write.codec import Codec
from nixgen.oci.write.layout import make_manifest, write_layout

LAYERS = {f"layer {number}".encode() * number: number for number in (1, 2, 3)}


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with memory_registry() as started:
        yield started


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An image of three layers that hold a few bytes each."""
    import hashlib

    root = "/nix/store/00000000000000000000000000000000-root"
    image = ImageSpec(
        name="shop/api",
        tag="v1",
        architecture="amd64",
        os="linux",
        config={},
        root=root,
        closure=(PathEntry(path=root, nar_hash="sha256:1", nar_size=1, references=()),),
    )
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    layers = []
    for data in LAYERS:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        (blobs / digest).write_bytes(data)
        info = LayerInfo(
            diff_id=digest,
            digest=digest,
            size=len(data),
            tar_size=1,
            media_type=Codec.GZIP.media_type,
            identity="x",
        )
        layers.append((info, "why"))
    write_layout(make_manifest(image, layers), tmp_path / "layout", lambda digest: blobs / digest)
    return tmp_path / "layout"


def stored(layout: Path) -> dict[str, bytes]:
    """The layout's blobs by digest, without the manifest."""
    manifest = digest_of_manifest(layout)
    blobs = {
        f"sha256:{file.name}": file.read_bytes() for file in (layout / "blobs" / "sha256").iterdir()
    }
    return {digest: data for digest, data in blobs.items() if digest != manifest}


def digest_of_manifest(layout: Path) -> str:
    index = json.loads((layout / "index.json").read_bytes())
    return str(index["manifests"][0]["digest"])


def to(registry: MemoryRegistry) -> Destination:
    return Destination.parse(f"{registry.host}/shop/api:v1")


@pytest.mark.parametrize("relative", [False, True])
def test_a_push_sends_every_blob_and_then_the_manifest(
    registry: MemoryRegistry, layout: Path, *, relative: bool
) -> None:
    registry.relative = relative
    told: set[tuple[str, int, bool]] = set()
    report = push(layout, to(registry), lambda *blob: told.add(blob))
    blobs = stored(layout)
    assert registry.blobs == blobs
    assert report == PushReport(
        digest=digest_of_manifest(layout), sent=sum(map(len, blobs.values())), skipped=0
    )
    assert told == {(digest, len(data), True) for digest, data in blobs.items()}
    media_type, manifest = registry.manifests["shop/api:v1"]
    assert media_type == "application/vnd.oci.image.manifest.v1+json"
    assert (
        manifest == (layout / "blobs/sha256" / report.digest.removeprefix("sha256:")).read_bytes()
    )
    assert registry.requests[-1] == ("PUT", "/v2/shop/api/manifests/v1")
    assert sorted(method for method, _ in registry.requests[:-1]) == sorted(
        ["HEAD", "POST", "PUT"] * 4
    )
    assert {path for method, path in registry.requests if method == "POST"} == {
        "/v2/shop/api/blobs/uploads/"
    }


def test_a_second_push_sends_the_manifest_alone(registry: MemoryRegistry, layout: Path) -> None:
    first = push(layout, to(registry))
    registry.requests.clear()
    told: list[bool] = []
    again = push(layout, to(registry), lambda _digest, _size, sent: told.append(sent))
    assert (again.sent, again.skipped) == (0, first.sent)
    assert told == [False] * 4
    assert sorted(method for method, _ in registry.requests) == ["HEAD"] * 4 + ["PUT"]


def test_one_missing_blob_is_the_only_one_sent(registry: MemoryRegistry, layout: Path) -> None:
    push(layout, to(registry))
    digest, data = min(stored(layout).items())
    del registry.blobs[digest]
    report = push(layout, to(registry))
    assert report.sent == len(data)
    assert report.sent + report.skipped == sum(map(len, stored(layout).values()))


@pytest.mark.parametrize(
    ("method", "status", "hint"),
    [
        ("HEAD", 418, "see what the registry says below"),
        ("POST", 429, "see what the registry says below"),
        ("PUT", 402, "see what the registry says below"),
        (
            "HEAD",
            401,
            "the registry wants credentials: push with `skopeo copy oci:LAYOUT docker://…` for now",
        ),
        (
            "PUT",
            403,
            "the registry wants credentials: push with `skopeo copy oci:LAYOUT docker://…` for now",
        ),
    ],
)
def test_a_refusal_is_told_with_the_registry_s_words(
    registry: MemoryRegistry, layout: Path, method: str, status: int, hint: str
) -> None:
    words = [f"line {number}" for number in range(12)]
    registry.refuse[method] = (status, "\n".join(words))
    with pytest.raises(EngineError) as caught:
        push(layout, to(registry))
    assert caught.value.message == f"the registry answered {status} to a push"
    assert caught.value.hint == hint
    assert caught.value.details == (() if method == "HEAD" else tuple(words[:10]))
    assert registry.manifests == {}


def test_a_registry_that_is_not_there(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRIES", 0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(EngineError) as caught:
            push(layout, Destination.parse(f"{host}/x"))
    assert caught.value.message.startswith(f"the registry {host} cannot be reached: ")
    assert caught.value.hint == (
        "check its address; on loopback it must speak HTTP, elsewhere HTTPS"
    )


@pytest.mark.parametrize("index", [None, "{", "{}", '{"manifests": []}', "[]"])
def test_a_folder_that_is_no_layout(layout: Path, index: str | None) -> None:
    (layout / "index.json").unlink()
    if index is not None:
        (layout / "index.json").write_text(index)
    with pytest.raises(EngineError) as caught:
        push(layout, Destination.parse("127.0.0.1:1/x"))
    assert caught.value.message.startswith(f"{layout} is not an OCI layout: ")
    assert caught.value.hint == "nixgen image build writes one"


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("localhost/a", "http://localhost/v2/a", "localhost/a:latest"),
        ("localhost:5000/a:t", "http://localhost:5000/v2/a", "localhost:5000/a:t"),
        ("127.0.0.1:5000/a/b:t-1", "http://127.0.0.1:5000/v2/a/b", "127.0.0.1:5000/a/b:t-1"),
        ("[::1]:5000/a", "http://[::1]:5000/v2/a", "[::1]:5000/a:latest"),
        ("[fd00::1]/a", "https://[fd00::1]/v2/a", "[fd00::1]/a:latest"),
        ("localhost.example/a", "https://localhost.example/v2/a", "localhost.example/a:latest"),
        ("ghcr.example:443/a.b_c-d/e:V2.0", "https://ghcr.example:443/v2/a.b_c-d/e", None),
        (f"h/a:{'t' * 128}", "https://h/v2/a", None),
    ],
)
def test_places_in_a_registry(text: str, url: str, name: str | None) -> None:
    destination = Destination.parse(text)
    assert destination.url == url
    assert str(destination) == (name or text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "host/", "/a", "host/A", "host/-a", "http://host/a", "host/a:", f"h/a:{'t' * 129}"],
)
def test_text_that_is_no_place_in_a_registry(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Destination.parse(text)
    assert caught.value.message == f"{text!r} is not a place in a registry"
    assert caught.value.hint == "write HOST[:PORT]/REPOSITORY[:TAG]"
