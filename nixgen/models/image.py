"""OCI images of services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nixgen.models.checks import pattern
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, dict_of, field, list_of, model
from nixgen.models.files import Package, textual_value
from nixgen.models.lines import PlainText
from nixgen.models.service import Service, Word

__all__ = ["Image"]


# https://github.com/opencontainers/distribution-spec: one path component of a repository name, and a tag
class ImageName(
    PlainText,
    check=pattern(
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*",
        what="an image name",
        example="api",
        allowed="small letters and digits, with . _ or - between",
    ),
):
    """The name of an image in a registry."""

    __slots__ = ()


class ImageTag(
    PlainText,
    check=pattern(
        r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
        what="an image tag",
        example="1.4.2",
        allowed="letters, digits, _ . and -, 128 at most; no . or - first",
    ),
):
    """The tag of an image in a registry."""

    __slots__ = ()


@model
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

    addressed_by_name = True

    name: str = field(ImageName, kw_only=False)
    service: Service | None = field(Service, default=None)
    command: ListOf[Word] = list_of(textual_value, default=(), lines=(PlainText,))
    packages: ListOf[Package] = list_of(Package, default=())
    tag: str = field(ImageTag, default="latest")
    labels: Mapping[str, str] = dict_of(PlainText, PlainText, default={})

    def faults(self) -> Iterator[Fault]:
        if self.service is None and not self.command:
            yield "", "runs nothing", "give service=… or command=[…]"
