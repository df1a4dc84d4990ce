"""The events of building images, delivered in order on the caller's thread."""

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
    """The joint layering is known.

    :param layers: distinct layers of all images.
    :param size: sum of their NAR sizes, bytes.
    """

    images: tuple[str, ...]
    layers: int
    size: int


@frozen(kw_only=True)
class LayerReused:
    """A finished layer of an earlier build is used as it is."""

    digest: str
    size: int


@frozen(kw_only=True)
class LayerStarted:
    """A layer of these store paths is about to be written."""

    paths: tuple[str, ...]


@frozen(kw_only=True)
class LayerWritten:
    """A layer lies in the state directory.

    :param tar_size: uncompressed bytes; ``size`` compressed.
    """

    digest: str
    tar_size: int
    size: int
    seconds: float


@frozen(kw_only=True)
class ImageWritten:
    """The layout of ``image`` is complete; ``changed`` is False when it already was what it should be."""

    image: str
    digest: str
    changed: bool


ImageEvent: TypeAlias = LayersPlanned | LayerReused | LayerStarted | LayerWritten | ImageWritten
Observer: TypeAlias = Callable[[ImageEvent], None]
