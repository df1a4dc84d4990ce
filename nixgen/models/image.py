"""OCI images of services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import attrs

from nixgen.models.checks import (
    Many,
    as_string_dict,
    as_tuple,
    checked,
    each,
    mapping,
    optional_model,
    pattern,
    string,
)
from nixgen.models.core import Fault, Model
from nixgen.models.files import Package, as_packages, package_list, textual_value
from nixgen.models.service import Service, Word, as_words

__all__ = ["Image"]

# https://github.com/opencontainers/distribution-spec: one path component of a repository name, and a tag
_IMAGE = pattern(
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*",
    what="an image name",
    example="api",
    allowed="small letters and digits, with . _ or - between",
)
_TAG = pattern(
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
    what="an image tag",
    example="1.4.2",
    allowed="letters, digits, _ . and -, 128 at most; no . or - first",
)


@attrs.frozen(eq=False)
class Image(Model):
    """An OCI image: the program of one service as the entrypoint, and nothing but the closure of
    the packages and files that the service mentions.

    :param name: Name of the image in a registry, such as ``api``.
    :param service: Service whose program the image runs. None (the default) requires ``command``.
    :param command: Program and arguments to run, one word each. When empty (the default), the
        command of ``service``.
    :param packages: Further packages whose programs are on the PATH, beside those of the service.
    :param tag: Tag of the image, ``latest`` unless given.
    :param labels: Labels of the image by name.
    """

    addressed_by_name: ClassVar[bool] = True

    name: str = attrs.field(metadata=checked(_IMAGE))
    service: Service | None = attrs.field(
        default=None, kw_only=True, metadata=optional_model(Service)
    )
    command: tuple[Word, ...] = attrs.field(
        default=(), kw_only=True, converter=as_words, metadata=checked(each(textual_value))
    )
    packages: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_packages, metadata=checked(package_list)
    )
    tag: str = attrs.field(default="latest", kw_only=True, metadata=checked(_TAG))
    labels: Mapping[str, str] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_string_dict,
        metadata=checked(mapping(string, string)),
    )

    def faults(self) -> Iterator[Fault]:
        if self.service is None and not self.command:
            yield "", "runs nothing", "give service=… or command=[…]"


def as_images(value: Many[Image]) -> tuple[Image, ...]:
    return as_tuple(value)
