"""The documents and the directory of an image, byte for byte, and the explanations of its layers."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from nixgen.errors import StoreError
from nixgen.oci.events import ImageWritten, LayerReused, LayersPlanned, LayerStarted, LayerWritten
from nixgen.oci.plan.layering import plan_layers
from nixgen.oci.plan.spec import ImageSpec, PathEntry
from nixgen.oci.write import build, tar
from nixgen.oci.write.blob import LayerInfo, LayerRecipe, _chunks
from nixgen.oci.write.build import write_images
from nixgen.oci.write.codec import CHUNK, Codec
from nixgen.oci.write.layout import ImageManifest, make_manifest, write_layout

MIB = 1 << 20
ROOT = "/nix/store/00000000000000000000000000000000-root"


def path(number: int) -> str:
    return f"/nix/store/{number:032d}-p{number}"


def entry(number: int, size: int, *references: int) -> PathEntry:
    return PathEntry(
        path=path(number),
        nar_hash=f"sha256:{number}",
        nar_size=size,
        references=tuple(map(path, references)),
    )


def image(config: dict[str, Any] | None = None) -> ImageSpec:
    return ImageSpec(
        name="shop/api",
        tag="v1",
        architecture="arm64",
        os="linux",
        config=config or {},
        root=ROOT,
        closure=(PathEntry(path=ROOT, nar_hash="sha256:1", nar_size=1, references=()),),
    )


def info(data: bytes, codec: Codec = Codec.ZSTD) -> LayerInfo:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return LayerInfo(
        diff_id=f"{digest}-plain",
        digest=digest,
        size=len(data),
        tar_size=9,
        media_type=codec.media_type,
        identity=codec.identity,
    )


ONE, TWO = b"layer one", b"layer two!"


def manifest(config: dict[str, Any] | None = None) -> ImageManifest:
    return make_manifest(image(config), [(info(ONE), "libc"), (info(TWO, Codec.GZIP), "api")])


def test_the_configuration_of_an_image() -> None:
    made = manifest({"Cmd": ["x"], "Env": ["A=1"]})
    assert made.config.decode() == (
        '{"architecture":"arm64","config":{"Cmd":["x"],"Env":["A=1"],"Labels":{},"User":"",'
        '"WorkingDir":"/"},"created":"1970-01-01T00:00:01Z","history":['
        '{"comment":"libc","created":"1970-01-01T00:00:01Z","created_by":"nixgen"},'
        '{"comment":"api","created":"1970-01-01T00:00:01Z","created_by":"nixgen"}],'
        '"os":"linux","rootfs":{"diff_ids":["'
        f'{info(ONE).diff_id}","{info(TWO).diff_id}"],"type":"layers"}}}}'
    )
    assert made.config_digest == f"sha256:{hashlib.sha256(made.config).hexdigest()}"


def test_the_manifest_of_an_image() -> None:
    made = manifest()
    assert made.manifest.decode() == (
        f'{{"config":{{"digest":"{made.config_digest}",'
        f'"mediaType":"application/vnd.oci.image.config.v1+json","size":{len(made.config)}}},'
        f'"layers":[{{"digest":"{info(ONE).digest}",'
        '"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd","size":9},'
        f'{{"digest":"{info(TWO).digest}",'
        '"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":10}],'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )
    assert made.digest == f"sha256:{hashlib.sha256(made.manifest).hexdigest()}"


@pytest.mark.parametrize(
    ("config", "cmd"),
    [
        ({}, []),
        ({"Entrypoint": []}, []),
        ({"Entrypoint": ["/x"]}, None),
        ({"Cmd": ["a"], "Entrypoint": []}, ["a"]),
    ],
)
def test_an_image_without_a_program_has_an_empty_command(
    config: dict[str, Any], cmd: list[str] | None
) -> None:
    written = json.loads(manifest(config).config)["config"]
    assert written.get("Cmd") == cmd


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    folder = tmp_path / "blobs"
    folder.mkdir()
    for data in (ONE, TWO):
        (folder / info(data).digest).write_bytes(data)
    return folder


def write(made: ImageManifest, folder: Path, layers: Path) -> bool:
    return write_layout(made, folder, lambda digest: layers / digest)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_layout_is_these_files(tmp_path: Path, layers: Path) -> None:
    made, folder = manifest(), tmp_path / "deep" / "layout"
    assert write(made, folder, layers)
    blobs = {
        f"blobs/sha256/{hashlib.sha256(data).hexdigest()}": data
        for data in (ONE, TWO, made.config, made.manifest)
    }
    index = (
        '{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"shop/api:v1"},'
        f'"digest":"{made.digest}","mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"size":{len(made.manifest)}}}],'
        '"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}'
    )
    assert tree(folder) == {
        **blobs,
        "index.json": index.encode(),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    }
    assert (folder / "blobs/sha256" / info(ONE).digest[7:]).stat().st_nlink == 2
    assert not write(made, folder, layers)


@pytest.mark.parametrize("name", ["index.json", "oci-layout", "config", "manifest", "layer"])
@pytest.mark.parametrize("damage", [None, b"of another size than before"])
def test_what_differs_is_written_again(
    tmp_path: Path, layers: Path, name: str, damage: bytes | None
) -> None:
    made, folder = manifest(), tmp_path / "layout"
    write(made, folder, layers)
    before = tree(folder)
    digests = {"config": made.config_digest, "manifest": made.digest, "layer": info(ONE).digest}
    file = folder / (f"blobs/sha256/{digests[name][7:]}" if name in digests else name)
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    assert write(made, folder, layers)
    assert tree(folder) == before


def test_blobs_of_an_earlier_image_go(tmp_path: Path, layers: Path) -> None:
    folder = tmp_path / "layout"
    write(manifest({"Cmd": ["old"]}), folder, layers)
    (folder / "notes").write_bytes(b"of a person")
    made = manifest({"Cmd": ["new"]})
    assert write(made, folder, layers)
    assert len(list((folder / "blobs/sha256").iterdir())) == 4
    assert (folder / "notes").exists()
    (folder / "blobs/sha256/stranger").write_bytes(b"")
    assert write(made, folder, layers)
    assert not (folder / "blobs/sha256/stranger").exists()


def test_a_layer_on_another_file_system_is_copied(
    tmp_path: Path, layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert write(manifest(), tmp_path / "layout", layers)
    copied = tmp_path / "layout/blobs/sha256" / info(ONE).digest[7:]
    assert (copied.read_bytes(), copied.stat().st_nlink) == (ONE, 1)


def test_a_layout_that_cannot_be_written_is_named(tmp_path: Path, layers: Path) -> None:
    (tmp_path / "layout").touch()
    with pytest.raises(StoreError) as caught:
        write(manifest(), tmp_path / "layout", layers)
    assert caught.value.message == (
        f"cannot write the image layout {tmp_path}/layout: Not a directory"
    )
    assert caught.value.hint == "free some space, or choose another directory"


# Explanations


def explanations(images: dict[str, list[PathEntry]], **bound: int) -> dict[str, list[str]]:
    return {
        name: [plan.why for plan in plans] for name, plans in plan_layers(images, **bound).items()
    }


def test_the_reason_of_each_layer() -> None:
    base = entry(1, 30 * MIB)
    many = [entry(number, 100, 1) for number in (2, 3)]
    assert explanations(
        {"web": [base, *many], "api": [base], "job": [base, entry(4, 90 * MIB)]}
    ) == {
        "api": ["one path, shared by api, job, web; changes in 1% of releases"],
        "job": [
            "one path, shared by api, job, web; changes in 1% of releases",
            "one path, only in job; changes with every release",
        ],
        "web": [
            "one path, shared by api, job, web; changes in 1% of releases",
            "2 paths that change alike, only in web; changes with every release",
        ],
    }


def test_the_reason_of_a_layer_that_the_bound_joined() -> None:
    images = {
        "a": [entry(1, 3 * MIB), entry(2, 2 * MIB), entry(3, 50 * MIB)],
        "b": [entry(1, 3 * MIB)],
        "c": [entry(2, 2 * MIB)],
    }
    joined = "the 2 smallest layers, joined to stay within the bound"
    assert explanations(images, max_layers=2)["a"] == [
        "one path, only in a; changes with every release",
        f"{joined}, only in a; changes with every release",
    ]
    assert {plan.weight for plan in plan_layers(images, max_layers=2)["a"]} == {1.0}


def test_exactly_as_many_layers_as_the_bound_are_not_joined() -> None:
    images = {"a": [entry(1, 30 * MIB), entry(2, 40 * MIB)]}
    assert explanations(images, max_layers=2) == explanations(images)


def test_the_weight_of_a_layer_is_no_more_than_one() -> None:
    top = entry(500, 90 * MIB, *range(200))
    plans = plan_layers({"a": [*(entry(number, 10) for number in range(200)), top]})["a"]
    assert [(plan.weight, len(plan.paths)) for plan in plans] == [(1.0, 1), (1.0, 200)]
    light = plan_layers({"a": [entry(1, 10), entry(2, 10), entry(3, 90 * MIB, 1, 2)]})["a"]
    assert sorted(round(plan.weight, 4) for plan in light) == [0.02, 1.0]


def test_an_unreferenced_path_that_refers_to_itself_changes_with_every_release() -> None:
    assert explanations({"a": [entry(1, 10, 1)]})["a"] == [
        "one path, only in a; changes with every release"
    ]


def test_a_deep_base_changes_more_often_than_a_leaf() -> None:
    chain = [entry(0, 9 * MIB), entry(1, 99 * MIB, 0), entry(2, 999 * MIB, 1)]
    weights = {plan.paths[0].path: plan.weight for plan in plan_layers({"a": chain})["a"]}
    assert weights == {
        path(0): pytest.approx(0.01),
        path(1): pytest.approx(1 - 0.99**2),
        path(2): 1.0,
    }


# A build


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """p1 to p7 of a few bytes, and a root tree."""
    top = tmp_path / "store"
    for number in range(1, 8):
        (top / path(number).rpartition("/")[2]).mkdir(parents=True)
        (top / path(number).rpartition("/")[2] / "text").write_text(f"{number}")
    (top / ROOT.rpartition("/")[2] / "etc").mkdir(parents=True)
    return top


def spec(store: Path, *numbers: int) -> ImageSpec:
    root = str(store / ROOT.rpartition("/")[2])
    entries = [entry(number, 100) for number in numbers]
    entries.append(PathEntry(path=root, nar_hash="sha256:9", nar_size=50, references=()))
    return ImageSpec(
        name="api",
        tag="v1",
        architecture="amd64",
        os="linux",
        config={},
        root=root,
        closure=tuple(sorted(entries, key=lambda each: each.path)),
    )


@pytest.mark.parametrize(
    ("numbers", "comment"),
    [
        ((1,), "p1"),
        ((1, 2, 3, 4, 5), "p1, p2, p3, p4, p5"),
        ((1, 2, 3, 4, 5, 6), "p1, p2, p3, p4, p5 and 1 more"),
        ((1, 2, 3, 4, 5, 6, 7), "p1, p2, p3, p4, p5 and 2 more"),
    ],
)
def test_the_history_names_the_paths_of_a_layer(
    store: Path, tmp_path: Path, numbers: tuple[int, ...], comment: str
) -> None:
    (report,) = write_images([spec(store, *numbers)], tmp_path / "o", tmp_path / "s", store=store)
    config = tmp_path / "o/api/blobs/sha256" / report.config_digest[7:]
    history = json.loads(config.read_bytes())["history"]
    assert [line["comment"] for line in history] == [comment, "root"]


def test_the_report_and_the_events_of_a_build(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([1.0, 2.0, 7.5, 8.0, 20.0, 30.25, 40.0, 43.0])
    monkeypatch.setattr(build.time, "monotonic", lambda: next(ticks))
    events: list[object] = []
    made = spec(store, 1, 2)
    (report,) = write_images([made], tmp_path / "o", tmp_path / "s", events.append, store=store)
    bottom, top = report.layers
    paths = [[entry.path for entry in layer.plan.paths] for layer in report.layers]
    assert paths == [[path(1), path(2)], [made.root]]
    assert top.plan.why == "the tree at /: links to programs, users, /tmp"
    assert (bottom.reused, top.reused) == (False, False)
    assert (report.name, report.ref, report.layout) == ("api", "api:v1", tmp_path / "o" / "api")
    assert (report.changed, report.new_layers, report.seconds) == (True, 2, 29.25)
    assert report.size == bottom.info.size + top.info.size
    assert report.tar_size == bottom.info.tar_size + top.info.tar_size

    def written(layer: LayerInfo, seconds: float) -> LayerWritten:
        return LayerWritten(
            digest=layer.digest, tar_size=layer.tar_size, size=layer.size, seconds=seconds
        )

    done = ImageWritten(image="api", digest=report.digest, changed=True)
    planned = LayersPlanned(images=("api",), layers=2, size=250)
    assert events == [
        planned,
        LayerStarted(paths=(path(1), path(2))),
        written(bottom.info, 5.5),
        LayerStarted(paths=(made.root,)),
        written(top.info, 12.0),
        done,
    ]
    events.clear()
    (again,) = write_images([made], tmp_path / "o", tmp_path / "s", events.append, store=store)
    assert events == [
        planned,
        *(LayerReused(digest=each.info.digest, size=each.info.size) for each in report.layers),
        ImageWritten(image="api", digest=report.digest, changed=False),
    ]
    assert (again.changed, again.new_layers, again.seconds) == (False, 0, 3.0)


def test_a_frame_has_four_mebibytes() -> None:
    """The bytes of layers follow from it: another size means that every layer is pulled again."""
    assert CHUNK == 4 * MIB
    assert Codec.GZIP.identity.startswith("gzip-6-4194304-zlib-")
    assert Codec.ZSTD.identity.startswith("zstd-3-4194304-libzstd-1.")
    assert Codec.GZIP.compress(b"x")[:4] == b"\x1f\x8b\x08\x00"


@pytest.mark.parametrize("total", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
@pytest.mark.parametrize("piece", [MIB - 3, MIB])
def test_a_stream_is_cut_into_frames_of_one_size(total: int, piece: int) -> None:
    data = bytes(total)
    frames = list(_chunks(data[at : at + piece] for at in range(0, total, piece)))
    assert [len(frame) for frame in frames[:-1]] == [CHUNK] * max(0, len(frames) - 1)
    assert sum(map(len, frames)) == total
    assert len(frames) == -(-total // CHUNK)


def test_the_digest_of_a_recipe_is_that_of_its_document() -> None:
    """Another document would make every layer of every state directory again."""
    recipe = LayerRecipe(paths=((path(1), "sha256:1"),), root=(ROOT, "sha256:2"))
    document = (
        f'{{"codec": "{Codec.ZSTD.identity}", "paths": [["{path(1)}", "sha256:1"]], '
        f'"root": "sha256:2", "tar": "{tar.FORMAT}"}}'
    )
    assert recipe.digest == hashlib.sha256(document.encode()).hexdigest()
