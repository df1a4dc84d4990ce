"""The events of building images. They come in order, on the caller's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

__all__ = [
    "ImageEvent",
    "ImageWritten",
    "LayerReused",
    "LayerStarted",
    "LayerWritten",
    "LayersPlanned",
    "Observer",
]


@frozen(kw_only=True)
class LayersPlanned:
    """The layers of all images are planned.

    :param images: names of the images, sorted.
    :param layers: distinct layers of all images.
    :param size: sum of their NAR sizes, bytes.
    """

    images: tuple[str, ...]
    layers: int
    size: int


@frozen(kw_only=True)
class LayerReused:
    """A layer that an earlier build made is used.

    :param digest: of the layer.
    :param size: compressed bytes.
    """

    digest: str
    size: int


@frozen(kw_only=True)
class LayerStarted:
    """The writing of a layer begins.

    :param paths: its store paths.
    """

    paths: tuple[str, ...]


@frozen(kw_only=True)
class LayerWritten:
    """A layer is complete in the state directory.

    :param digest: of the layer.
    :param tar_size: uncompressed bytes.
    :param size: compressed bytes.
    :param seconds: the time it took.
    """

    digest: str
    tar_size: int
    size: int
    seconds: float


@frozen(kw_only=True)
class ImageWritten:
    """The layout of an image is complete.

    :param image: name of the image.
    :param digest: of its manifest.
    :param changed: whether any of its files was written.
    """

    image: str
    digest: str
    changed: bool


ImageEvent: TypeAlias = LayersPlanned | LayerReused | LayerStarted | LayerWritten | ImageWritten
Observer: TypeAlias = Callable[[ImageEvent], None]
