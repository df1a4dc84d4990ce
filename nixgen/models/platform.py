"""What machines are part of: tests, environments, caches, and the project that holds them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from nixgen.models.builders import Builder, as_builders
from nixgen.models.core import (
    FLAG,
    LABEL,
    LABEL_RULE,
    Fault,
    Many,
    Model,
    as_strings,
    as_tuple,
    checked,
    each,
    mapping,
    model,
    models,
    one_of,
    optional,
    pattern,
    string,
    whole_number,
)
from nixgen.models.files import Package, as_packages, package_list, textual_value
from nixgen.models.image import Image, as_images
from nixgen.models.kubernetes import Application, as_applications
from nixgen.models.machine import Machine, as_machines, module_list
from nixgen.models.nixos import NixModule, as_modules, as_options, option_values
from nixgen.models.service import ENVIRONMENT_NAME, Word, as_word_dict

__all__ = ["Cache", "Environment", "Overlay", "Project", "Test", "Upstream"]

Compression = Literal["gzip", "none", "xz", "zstd"]

_TARGET = pattern(LABEL, what="a name", example="smoke", allowed=LABEL_RULE)
_URL = pattern(
    r"(https?|file)://[^\s?#]+", what="the URL of a binary cache", example="https://cache.nixos.org"
)
_PUBLIC_KEY = pattern(
    r"[^\s:]+:[A-Za-z0-9+/]{43}=",
    what="a public key",
    example="cache.example.org-1:<44 characters of base64>",
)
_CACHE = pattern(
    r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[^?#]*)?(\?[^#]*)?",
    what="the address of a cache",
    example="s3://bucket/prefix?region=eu-central-1",
)


@attrs.frozen(eq=False)
class Test(Model):
    """Machines booted together, and what must hold on them.

    :param script: Python that speaks the NixOS test driver's interface. Left out, it is derived: every unit starts, every
        port opens, every health check passes.
    """

    __test__ = False  # pytest would collect the name

    name: str = attrs.field(metadata=checked(_TARGET))
    machines: tuple[Machine, ...] = attrs.field(
        kw_only=True,
        converter=as_machines,
        metadata=models(Machine),
    )
    script: str | None = attrs.field(default=None, kw_only=True, metadata=checked(optional(string)))

    def faults(self) -> Iterator[Fault]:
        if self.machines == ():
            yield ".machines", "is empty", "a test needs at least one machine"


def as_tests(value: Many[Test]) -> tuple[Test, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Overlay(Model):
    """What an environment changes on one machine; see `Environment`."""

    machine: Machine = attrs.field(metadata=model(Machine))
    options: Mapping[str, Any] = attrs.field(
        factory=dict, kw_only=True, converter=as_options, metadata=checked(option_values)
    )
    modules: tuple[NixModule, ...] = attrs.field(
        default=(), kw_only=True, converter=as_modules, metadata=checked(module_list)
    )


def as_overlays(value: Many[Overlay]) -> tuple[Overlay, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Environment(Model):
    """A place the platform runs in, such as staging: what is different there.

    :param variables: values that replace those of every service which declares the variable.
    :param options: of NixOS, on every machine. A value replaces the machine's own; lists and dicts are joined to its, unless they are
        wrapped in `mk_force`.
    :param modules: of NixOS, laid over every machine.
    :param overlays: the same for single machines.
    """

    name: str = attrs.field(metadata=checked(_TARGET))
    variables: Mapping[str, Word] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_word_dict,
        metadata=checked(mapping(ENVIRONMENT_NAME, textual_value)),
    )
    options: Mapping[str, Any] = attrs.field(
        factory=dict, kw_only=True, converter=as_options, metadata=checked(option_values)
    )
    modules: tuple[NixModule, ...] = attrs.field(
        default=(), kw_only=True, converter=as_modules, metadata=checked(module_list)
    )
    overlays: tuple[Overlay, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_overlays,
        metadata=models(Overlay),
    )

    def overlay(self, machine: Machine) -> Overlay | None:
        """What it changes on this machine alone."""
        return next((each for each in self.overlays if each.machine is machine), None)


def as_environments(value: Many[Environment]) -> tuple[Environment, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Upstream(Model):
    """A binary cache that clients of ours also use. What it has is not pushed once more.

    :param public_keys: ``name:base64``; what a local path is signed with by one of these counts as being there without asking.
    """

    url: str = attrs.field(metadata=checked(_URL))
    public_keys: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_PUBLIC_KEY))
    )


def as_upstreams(value: Many[Upstream]) -> tuple[Upstream, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Cache(Model):
    """A binary cache on S3, under a name that commands take instead of its address.

    :param address: ``s3://bucket/prefix?endpoint=…&region=…``.
    :param public_keys: ``name:base64``; what one of them has signed is trusted. The project's own key when empty.
    :param upstreams: paths that these have, with all they reach, stay out of pushes.
    :param public: anybody may read it over HTTPS; else readers need credentials or ``nixgen cache serve``.
    :param compression: of the archives, with ``level`` the codec's own default when None.
    :param keep: generations of each target that collection leaves, for each environment.
    """

    name: str = attrs.field(metadata=checked(_TARGET))
    address: str = attrs.field(metadata=checked(_CACHE))
    public_keys: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_PUBLIC_KEY))
    )
    upstreams: tuple[Upstream, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_upstreams,
        metadata=models(Upstream),
    )
    public: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    compression: Compression = attrs.field(
        default="zstd", kw_only=True, metadata=checked(one_of(Compression))
    )
    level: int | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(whole_number(0, 19)))
    )
    keep: int = attrs.field(default=3, kw_only=True, metadata=checked(whole_number(1, 10_000)))


def as_caches(value: Many[Cache]) -> tuple[Cache, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Project(Model):
    """A whole platform. infra.py defines one, as ``project``.

    :param tools: whose programs are for people who work on the project, beside those that nixgen itself needs: in
        ``nixgen shell`` and ``nix develop``.
    """

    name: str = attrs.field(metadata=checked(_TARGET))
    machines: tuple[Machine, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_machines,
        metadata=models(Machine),
    )
    images: tuple[Image, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_images,
        metadata=models(Image),
    )
    applications: tuple[Application, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_applications,
        metadata=models(Application),
    )
    tests: tuple[Test, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tests,
        metadata=models(Test),
    )
    packages: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_packages, metadata=checked(package_list)
    )
    tools: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_packages, metadata=checked(package_list)
    )
    environments: tuple[Environment, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_environments,
        metadata=models(Environment),
    )
    caches: tuple[Cache, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_caches,
        metadata=models(Cache),
    )
    builders: tuple[Builder, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_builders,
        metadata=models(Builder),
    )
