"""The Nix files and the page of a channel, from templates/channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import frozen

from nixgen import syntax as nix
from nixgen.render.resources import template_folder
from nixgen.render.tree import FileTree

if TYPE_CHECKING:
    import jinja2

__all__ = ["ChannelTarget", "ChannelText"]

#: Kinds of targets and what stands before their names in a flake, whose outputs are one flat set.
_FLAKE = {
    "machines": "machine-",
    "images": "image-",
    "kubernetes": "kubernetes-",
    "tests": "test-",
    "packages": "",
}


class NixText(str):
    """Text that the printer made. The templates of a channel accept nothing else."""

    __slots__ = ()


@frozen
class ChannelTarget:
    """A target that a channel offers.

    :param attr: its name, such as ``machines.web``.
    :param system: the system that it is evaluated for.
    :param path: its main output.
    """

    attr: str
    system: str
    path: str

    @property
    def kind(self) -> str:
        """Its kind, such as ``machines``."""
        return self.attr.partition(".")[0]

    @property
    def name(self) -> str:
        """Its name, such as ``web``."""
        return self.attr.partition(".")[2]

    @property
    def channel_attr(self) -> str:
        """Its attribute in default.nix, where packages stand beside sets of the other kinds."""
        return self.name if self.kind == "packages" else self.attr

    @property
    def flake_attr(self) -> str:
        """Its attribute in flake.nix."""
        return f"{_FLAKE[self.kind]}{self.name}"


@frozen(kw_only=True)
class ChannelText:
    """The text of a channel's own files.

    :param name: the name of the channel.
    :param project: the name of the project.
    :param tree: the path of the generated tree below the channel's folder, without ``./``.
    :param base: the package base.
    :param environment: the environment, if any.
    :param substituters: the URL of the cache without a final slash, then the URLs of caches that
        have the paths it leaves out.
    :param keys: the public keys that clients need.
    :param targets: what the channel offers.
    """

    name: str
    project: str
    tree: str
    base: str
    environment: str | None
    substituters: tuple[str, ...]
    keys: tuple[str, ...]
    targets: tuple[ChannelTarget, ...]

    @property
    def description(self) -> str:
        """One line about the channel."""
        within = f", {self.environment}" if self.environment else ""
        return f"The project {self.project}{within}, built by nixgen"

    def files(self) -> FileTree:
        """The Nix files of the tarball, beside the project."""
        settings = {
            "extra-substituters": self.substituters,
            "extra-trusted-public-keys": list(self.keys),
        }
        name = NixText(self.name)
        offered = nix.AttrSet(
            {
                "base": nix.quote(self.base),
                "environment": nix.quote(self.environment),
                "systems": nix.quote(self._systems()),
                "tree": nix.Path(f"./{self.tree}"),
            }
        )
        return {
            "default.nix": _nix("default.nix.j2", name=name),
            "flake.nix": _nix(
                "flake.nix.j2",
                name=name,
                description=_printed(nix.quote(self.description)),
                config=NixText(_printed(nix.quote(settings)).replace("\n", "\n  ")),
            ),
            "targets.nix": _nix("targets.nix.j2", body=_printed(offered)),
        }

    def index(self, *, tarball: str, flake: str) -> bytes:
        """The page that explains how to use the channel.

        :param tarball: the URL for nix-channel.
        :param flake: the URL for flakes.
        """
        first = next(iter(sorted(self.targets, key=lambda target: target.kind != "packages")), None)
        text = (
            _templates()
            .get_template("index.html.j2")
            .render(
                name=self.name,
                description=self.description,
                url=self.substituters[0],
                substituters=self.substituters,
                keys=self.keys,
                tarball=tarball,
                flake=flake,
                example=first and (first.channel_attr, first.flake_attr),
                rows=[(target.channel_attr, target.system, target.path) for target in self.targets],
            )
        )
        return text.encode()

    def _systems(self) -> Mapping[str, Mapping[str, Iterable[str]]]:
        systems: dict[str, dict[str, list[str]]] = {}
        for target in self.targets:
            systems.setdefault(target.system, {}).setdefault(target.kind, []).append(target.name)
        return systems


def _printed(value: nix.Expr) -> NixText:
    return NixText(nix.print_expr(value).rstrip("\n"))


def _only_nix(value: Any) -> str:
    if not isinstance(value, NixText):
        raise TypeError(f"a template was given {value!r}, which the printer did not make")
    return value


@cache
def _templates() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "channel"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=jinja2.select_autoescape(["html.j2"]),
    )


def _nix(template: str, **values: NixText) -> bytes:
    """Render a template of a Nix file. It accepts only text that the printer made."""
    nix_templates = _templates().overlay(finalize=_only_nix)
    return nix_templates.get_template(template).render(values).encode()
