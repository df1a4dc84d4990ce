"""The result of writing images: each image with its layers."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from nixgen.oci.plan.layering import LayerPlan
from nixgen.oci.write.blob import LayerInfo

__all__ = ["ImageReport", "LayerReport"]


@frozen(kw_only=True)
class LayerReport:
    """A layer of a built image.

    :param plan: its store paths, and why they share a layer.
    :param info: the finished layer.
    :param reused: whether an earlier build made it.
    """

    plan: LayerPlan
    info: LayerInfo
    reused: bool


@frozen(kw_only=True)
class ImageReport:
    """A built image.

    :param name: of the image in the project.
    :param ref: ``name:tag``.
    :param layout: the OCI layout directory.
    :param digest: of the manifest.
    :param config_digest: of the configuration; the image ID of container engines.
    :param layers: from the bottom up.
    :param changed: whether the layout differs from what was there before.
    :param seconds: of the whole joint build; the same in every report of it.
    """

    name: str
    ref: str
    layout: Path
    digest: str
    config_digest: str
    layers: tuple[LayerReport, ...]
    changed: bool
    seconds: float

    @property
    def size(self) -> int:
        """Compressed bytes of all layers."""
        return sum(layer.info.size for layer in self.layers)

    @property
    def tar_size(self) -> int:
        """Uncompressed bytes of all layers."""
        return sum(layer.info.tar_size for layer in self.layers)

    @property
    def new_layers(self) -> int:
        """The number of layers that this build made."""
        return sum(not layer.reused for layer in self.layers)
