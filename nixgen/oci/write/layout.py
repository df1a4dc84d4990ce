"""Writes the directory of an OCI image layout.

Its bytes depend on the image only, not on the time or the host. Blobs are written first and
``index.json`` last, by renaming, so a reader sees either the old image or the new one.

Source: https://github.com/opencontainers/image-spec/blob/v1.0.2/image-layout.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.errors import StoreError
from nixgen.files.write import write_atomically
from nixgen.oci.plan.spec import ImageSpec
from nixgen.oci.write.blob import LayerInfo

__all__ = ["ImageManifest", "make_manifest", "write_layout"]

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_CREATED = "1970-01-01T00:00:01Z"  # the store's own time


@frozen(kw_only=True)
class ImageManifest:
    """The documents and layers of an image, as they are stored and sent.

    :param ref: ``name:tag``.
    :param config: the bytes of the configuration.
    :param manifest: the bytes of the manifest.
    :param layers: from the bottom up.
    """

    ref: str
    config: bytes
    manifest: bytes
    layers: tuple[LayerInfo, ...]

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return _digest(self.manifest)

    @property
    def config_digest(self) -> str:
        """The digest of the configuration, which is the image ID of container engines."""
        return _digest(self.config)


def make_manifest(spec: ImageSpec, layers: Sequence[tuple[LayerInfo, str]]) -> ImageManifest:
    """Make the configuration and the manifest of an image.

    :param spec: the image.
    :param layers: (layer, its line in the history), from the bottom up.
    """
    infos = tuple(info for info, _ in layers)
    config = _json(
        {
            "architecture": spec.architecture,
            "config": _complete(spec.config),
            "created": _CREATED,
            "history": [
                {"created": _CREATED, "created_by": "nixgen", "comment": comment}
                for _, comment in layers
            ],
            "os": spec.os,
            "rootfs": {"diff_ids": [info.diff_id for info in infos], "type": "layers"},
        }
    )
    manifest = _json(
        {
            "config": {"digest": _digest(config), "mediaType": _CONFIG, "size": len(config)},
            "layers": [
                {"digest": info.digest, "mediaType": info.media_type, "size": info.size}
                for info in infos
            ],
            "mediaType": _MANIFEST,
            "schemaVersion": 2,
        }
    )
    return ImageManifest(ref=spec.ref, config=config, manifest=manifest, layers=infos)


def write_layout(image: ImageManifest, directory: Path, blob: Callable[[str], Path]) -> bool:
    """Make a directory the layout of an image. Only files that differ are written.

    :param image: the image.
    :param directory: made when it is missing.
    :param blob: the file with the bytes of a layer, by digest. It is hard-linked if the file system
        allows, else copied.
    :returns: whether anything changed.
    :raises StoreError: the directory is not writable, or the disk is full.
    """
    index = _json(
        {
            "manifests": [
                {
                    "annotations": {"org.opencontainers.image.ref.name": image.ref},
                    "digest": image.digest,
                    "mediaType": _MANIFEST,
                    "size": len(image.manifest),
                }
            ],
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "schemaVersion": 2,
        }
    )
    blobs = directory / "blobs" / "sha256"
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        wanted = {info.digest: info.size for info in image.layers}
        changed = False
        for digest, size in sorted(wanted.items()):
            target = blobs / digest.removeprefix("sha256:")
            if not (target.is_file() and target.stat().st_size == size):
                _link(blob(digest), target)
                changed = True
        for data in (image.config, image.manifest):
            wanted[_digest(data)] = len(data)
            changed |= _write(blobs / _digest(data).removeprefix("sha256:"), data)
        changed |= _write(directory / "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        changed |= _write(directory / "index.json", index)
        for stale in sorted(blobs.iterdir()):
            if f"sha256:{stale.name}" not in wanted:
                stale.unlink()
                changed = True
    except OSError as error:
        raise StoreError(
            f"cannot write the image layout {directory}: {error.strerror}",
            hint="free some space, or choose another directory",
        ) from error
    return changed


def _complete(config: Any) -> dict[str, Any]:
    """Add the keys that a kubelet reads without a check; it fails on an image without them."""
    complete = {"Env": [], "Labels": {}, "User": "", "WorkingDir": "/", **config}
    if not complete.get("Entrypoint"):
        complete.setdefault("Cmd", [])
    return complete


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _write(path: Path, data: bytes) -> bool:
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    write_atomically(path, data)
    return True


def _link(source: Path, target: Path) -> None:
    new = target.with_name(f".new-{target.name}")
    new.unlink(missing_ok=True)
    try:
        os.link(source, new)
    except OSError:  # another file system, or too many links
        shutil.copyfile(source, new)
    new.replace(target)
