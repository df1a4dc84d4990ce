"""Images from a folder in place of the store: same bytes, no work twice, and repair of damage."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import tarfile

import pytest
import zstandard

from nixgen.errors import InputError, StoreError
from nixgen.oci.events import ImageWritten, LayersPlanned, LayerStarted, LayerWritten
from nixgen.oci.plan.spec import ImageSpec, PathEntry
from nixgen.oci.write import codec as codec_module
from nixgen.oci.write.blob import LayerRecipe
from nixgen.oci.write.build import write_images
from nixgen.oci.write.codec import Codec


def name(number: int) -> str:
    return f"{number:032d}-p{number}"


@pytest.fixture
def store(tmp_path):
    """p1 … p4, some with a few MiB, and p9, an image's root."""
    noise = random.Random(7)
    top = tmp_path / "store"
    for number in (1, 2, 3, 4):
        (top / name(number)).mkdir(parents=True)
        (top / name(number) / "data").write_bytes(noise.randbytes(number * 3_000_000))
        (top / name(number) / "text").write_bytes(b"words " * 500_000)
    (top / name(9) / "etc").mkdir(parents=True)
    (top / name(9) / "etc" / "hostname").write_bytes(b"api\n")
    return top


def spec(store, image="api", paths=(1, 2, 3), **changes):
    # The root tree is read where it is said to be; the other paths through `store`.
    root = str(store / name(9))
    entries = [
        PathEntry(
            path=f"/nix/store/{name(n)}",
            nar_hash=f"sha256:{n}",
            nar_size=n * 3_000_000,
            references=(),
        )
        for n in paths
    ]
    entries.append(PathEntry(path=root, nar_hash="sha256:9", nar_size=100, references=()))
    fields = {
        "name": image,
        "tag": "latest",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/x"]},
        "root": root,
        "closure": tuple(sorted(entries, key=lambda entry: entry.path)),
    }
    return ImageSpec(**(fields | changes))


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_image(layout):
    """(manifest, config) with every digest, size and diff id checked on the way."""
    blobs = layout / "blobs" / "sha256"
    for blob in blobs.iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_bytes())
    config = json.loads((blobs / manifest["config"]["digest"][7:]).read_bytes())
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == len(manifest["layers"])
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        data = (blobs / layer["digest"][7:]).read_bytes()
        assert len(data) == layer["size"]
        if layer["mediaType"].endswith("gzip"):
            plain = gzip.decompress(data)
        else:
            reader = zstandard.ZstdDecompressor().stream_reader(
                io.BytesIO(data), read_across_frames=True
            )
            plain = reader.read()
        assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == diff_id
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            assert archive.getmembers()
    return manifest, config


@pytest.mark.parametrize("codec", list(Codec))
def test_a_layout_has_every_blob_of_its_image(store, tmp_path, codec):
    report = write_images(
        [spec(store)], tmp_path / "out", tmp_path / "state", codec=codec, store=store
    )[0]
    manifest, config = read_image(report.layout)
    assert config["config"] == {
        "Cmd": ["/bin/x"],
        "Env": [],
        "Labels": {},
        "User": "",
        "WorkingDir": "/",
    }
    assert {layer["mediaType"] for layer in manifest["layers"]} == {codec.media_type}
    assert report.size == sum(layer["size"] for layer in manifest["layers"])
    assert report.new_layers == len(manifest["layers"])


def test_the_top_layer_is_the_root_tree_and_sizes_are_those_of_the_tar(store, tmp_path):
    report = write_images(
        [spec(store)], tmp_path / "out", tmp_path / "state", codec=Codec.GZIP, store=store
    )[0]
    for layer in report.layers:
        blob = report.layout / "blobs" / "sha256" / layer.info.digest[7:]
        plain = gzip.decompress(blob.read_bytes())
        assert layer.info.tar_size == len(plain)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.extractfile("etc/hostname").read() == b"api\n"


def test_two_machines_write_the_same_bytes(store, tmp_path, monkeypatch):
    write_images([spec(store)], tmp_path / "one", tmp_path / "s1", store=store)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    write_images([spec(store)], tmp_path / "two", tmp_path / "s2", store=store)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_second_build_writes_nothing(store, tmp_path):
    write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "lock"}
    events = []
    report = write_images(
        [spec(store)], tmp_path / "out", tmp_path / "state", events.append, store=store
    )[0]
    assert not report.changed
    assert report.new_layers == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not any(isinstance(event, LayerStarted | LayerWritten) for event in events)
    assert isinstance(events[0], LayersPlanned)
    assert events[-1] == ImageWritten(image="api", digest=report.digest, changed=False)


def test_images_share_layers(store, tmp_path):
    one, two = write_images(
        [spec(store, "a", (1, 2, 3)), spec(store, "b", (1, 2, 4))],
        tmp_path / "out",
        tmp_path / "s",
        store=store,
    )
    shared = {layer.info.digest for layer in one.layers} & {
        layer.info.digest for layer in two.layers
    }
    layers = [layer for layer in one.layers if layer.info.digest in shared]
    paths = {entry.path for layer in layers for entry in layer.plan.paths}
    assert {f"/nix/store/{name(1)}", f"/nix/store/{name(2)}"} <= paths
    read_image(one.layout)
    read_image(two.layout)


def test_another_division_into_layers_compresses_no_path_again(store, tmp_path, monkeypatch):
    write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)
    wanted = write_images(
        [spec(store)], tmp_path / "ref", tmp_path / "fresh", store=store, max_layers=1
    )[0]
    packed = []
    compress = codec_module.Codec.compress
    monkeypatch.setattr(
        codec_module.Codec,
        "compress",
        lambda self, chunk: packed.append(len(chunk)) or compress(self, chunk),
    )
    report = write_images(
        [spec(store)], tmp_path / "out", tmp_path / "state", store=store, max_layers=1
    )[0]
    assert report.digest == wanted.digest
    assert sum(packed) < 10_000  # parents and end only
    assert tree(tmp_path / "out") == tree(tmp_path / "ref")  # and stale blobs are gone


@pytest.mark.parametrize("damage", ["truncate", "delete", "record"])
def test_a_damaged_state_directory_is_repaired(store, tmp_path, damage):
    first = write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)[0]
    blob = tmp_path / "state" / "blobs" / "sha256" / first.layers[0].info.digest[7:]
    if damage == "truncate":
        blob.unlink()
        blob.write_bytes(b"short")
    elif damage == "delete":
        blob.unlink()
    else:
        for record in (tmp_path / "state" / "layers").iterdir():
            record.write_bytes(b"{}")
    again = write_images([spec(store)], tmp_path / "new", tmp_path / "state", store=store)[0]
    assert again.digest == first.digest
    read_image(again.layout)


def test_a_damaged_layout_is_repaired(store, tmp_path):
    first = write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)[0]
    blobs = first.layout / "blobs" / "sha256"
    (blobs / first.layers[0].info.digest[7:]).unlink()
    (blobs / "stranger").write_bytes(b"")
    (first.layout / "index.json").write_bytes(b"{")
    again = write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)[0]
    assert again.changed
    assert again.new_layers == 0
    assert not (blobs / "stranger").exists()
    read_image(again.layout)


@pytest.mark.parametrize("bound", [99, 1])
def test_images_of_two_compressions_may_share_a_state_directory(store, tmp_path, bound):
    """With a bound of 1 the second build makes another partition, out of members it knows already."""
    for codec in (Codec.ZSTD, Codec.GZIP, Codec.ZSTD):
        report = write_images(
            [spec(store)],
            tmp_path / f"out-{codec.value}",
            tmp_path / "state",
            codec=codec,
            max_layers=99 if codec is Codec.ZSTD else bound,
            store=store,
        )[0]
        manifest, _ = read_image(report.layout)
        assert {layer["mediaType"] for layer in manifest["layers"]} == {codec.media_type}
    assert report.new_layers == 0


def test_everything_that_decides_a_layer_s_bytes_is_in_its_digest():
    pairs = (("/nix/store/a", "sha256:1"), ("/nix/store/b", "sha256:2"))
    recipe = LayerRecipe(paths=pairs)
    others = [
        LayerRecipe(paths=pairs, codec=Codec.GZIP),
        LayerRecipe(paths=pairs[::-1]),
        LayerRecipe(paths=pairs[:1]),
        LayerRecipe(paths=(pairs[0], ("/nix/store/b", "sha256:3"))),
        LayerRecipe(root=pairs[0]),
        LayerRecipe(root=("/nix/store/a", "sha256:3")),
    ]
    assert len({each.digest for each in (recipe, *others)}) == 1 + len(others)
    assert LayerRecipe(root=("/nix/store/other", "sha256:1")).digest == others[4].digest


def test_a_missing_path_does_not_change_the_old_image(store, tmp_path):
    first = write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)[0]
    before = tree(first.layout)
    with pytest.raises(StoreError, match="cannot read"):
        write_images(
            [spec(store, paths=(1, 2, 3, 5))], tmp_path / "out", tmp_path / "state", store=store
        )
    assert tree(first.layout) == before
    assert not list((tmp_path / "state").rglob(".new-*"))


def test_two_images_of_one_name_are_refused(store, tmp_path):
    with pytest.raises(InputError, match="'api'"):
        write_images([spec(store), spec(store)], tmp_path / "out", tmp_path / "state", store=store)


def test_a_state_directory_that_is_a_file_is_refused(store, tmp_path):
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(StoreError, match="state"):
        write_images([spec(store)], tmp_path / "out", tmp_path / "state", store=store)
