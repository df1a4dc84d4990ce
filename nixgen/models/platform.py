"""What services run on and in: machines, images, tests, environments, and the project that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from nixgen.models._core import (
    Fault,
    Model,
    as_dict,
    as_tuple,
    boolean,
    checked,
    each,
    instance,
    mapping,
    one_of,
    optional,
    pattern,
    string,
    whole_number,
)
from nixgen.models.builders import Builder
from nixgen.models.files import ConfigFile, Package, package_list, textual_value
from nixgen.models.service import ENVIRONMENT_NAME, Service, User, Word

__all__ = ["Cache", "Environment", "Image", "Machine", "Project", "Test", "Upstream"]

# RFC 1123 host label; also what a test script can name as a Python variable after - becomes _
_HOST = pattern(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", what="a host name", example="web or db-1")
_TARGET = pattern(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", what="a name", example="smoke")
# https://github.com/opencontainers/distribution-spec: one path component of a repository name, and a tag
_IMAGE = pattern(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", what="an image name", example="api")
_TAG = pattern(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", what="an image tag", example="1.4.2")
_ETC = pattern(
    r"(?!\.{1,2}(/|$))[A-Za-z0-9_.@+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.@+-]+)*",
    what="a path below /etc",
    example="motd or ssh/banner",
)
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
_SERVICES = each(instance(Service, what="a Service"))


@attrs.frozen(eq=False)
class Machine(Model):
    """A computer that runs services.

    :param files: ``{"motd": ConfigFile(…)}``, below /etc.
    :param packages: on everybody's PATH.
    :param memory: MiB, of its virtual machine in tests. Likewise ``cores``, and ``disk`` in MiB.
    """

    name: str = attrs.field(metadata=checked(_HOST))
    services: tuple[Service, ...] = attrs.field(
        default=(), kw_only=True, converter=as_tuple, metadata=checked(_SERVICES)
    )
    packages: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_tuple, metadata=checked(package_list)
    )
    users: tuple[User, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(User, what="a User"))),
    )
    files: Mapping[str, ConfigFile] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_dict,
        metadata=checked(mapping(_ETC, instance(ConfigFile, what="a ConfigFile"))),
    )
    system: str = attrs.field(
        default="x86_64-linux",
        kw_only=True,
        metadata=checked(one_of("x86_64-linux", "aarch64-linux")),
    )
    memory: int = attrs.field(default=512, kw_only=True, metadata=checked(whole_number(128, 2**20)))
    cores: int = attrs.field(default=1, kw_only=True, metadata=checked(whole_number(1, 256)))
    disk: int = attrs.field(default=1024, kw_only=True, metadata=checked(whole_number(64, 2**24)))


@attrs.frozen(eq=False)
class Image(Model):
    """An OCI image: one service's program as the entrypoint, with nothing but its closure.

    :param service: what it runs; or give ``command``.
    :param packages: additional packages whose programs are on the PATH.
    """

    name: str = attrs.field(metadata=checked(_IMAGE))
    service: Service | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(instance(Service, what="a Service")))
    )
    command: tuple[Word, ...] = attrs.field(
        default=(), kw_only=True, converter=as_tuple, metadata=checked(each(textual_value))
    )
    packages: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_tuple, metadata=checked(package_list)
    )
    tag: str = attrs.field(default="latest", kw_only=True, metadata=checked(_TAG))
    labels: Mapping[str, str] = attrs.field(
        factory=dict, kw_only=True, converter=as_dict, metadata=checked(mapping(string, string))
    )

    def faults(self) -> Iterator[Fault]:
        if self.service is None and not self.command:
            yield "", "runs nothing", "give service=… or command=[…]"


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
        converter=as_tuple,
        metadata=checked(each(instance(Machine, what="a Machine"))),
    )
    script: str | None = attrs.field(default=None, kw_only=True, metadata=checked(optional(string)))

    def faults(self) -> Iterator[Fault]:
        if self.machines == ():
            yield ".machines", "is empty", "a test needs at least one machine"


@attrs.frozen(eq=False)
class Environment(Model):
    """A place the platform runs in, such as staging.

    :param variables: values that replace those of every service which declares the variable.
    """

    name: str = attrs.field(metadata=checked(_TARGET))
    variables: Mapping[str, Word] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_dict,
        metadata=checked(mapping(ENVIRONMENT_NAME, textual_value)),
    )


@attrs.frozen(eq=False)
class Upstream(Model):
    """A binary cache that clients of ours also use. What it has is not pushed once more.

    :param public_keys: ``name:base64``; what a local path is signed with by one of these counts as being there without asking.
    """

    url: str = attrs.field(metadata=checked(_URL))
    public_keys: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_tuple, metadata=checked(each(_PUBLIC_KEY))
    )


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
        default=(), kw_only=True, converter=as_tuple, metadata=checked(each(_PUBLIC_KEY))
    )
    upstreams: tuple[Upstream, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Upstream, what="an Upstream"))),
    )
    public: bool = attrs.field(default=False, kw_only=True, metadata=checked(boolean))
    compression: str = attrs.field(
        default="zstd", kw_only=True, metadata=checked(one_of("gzip", "none", "xz", "zstd"))
    )
    level: int | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(whole_number(0, 19)))
    )
    keep: int = attrs.field(default=3, kw_only=True, metadata=checked(whole_number(1, 10_000)))


@attrs.frozen(eq=False)
class Project(Model):
    """A whole platform. infra.py defines one, as ``project``."""

    name: str = attrs.field(metadata=checked(_TARGET))
    machines: tuple[Machine, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Machine, what="a Machine"))),
    )
    images: tuple[Image, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Image, what="an Image"))),
    )
    tests: tuple[Test, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Test, what="a Test"))),
    )
    packages: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_tuple, metadata=checked(package_list)
    )
    environments: tuple[Environment, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Environment, what="an Environment"))),
    )
    caches: tuple[Cache, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Cache, what="a Cache"))),
    )
    builders: tuple[Builder, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tuple,
        metadata=checked(each(instance(Builder, what="a Builder"))),
    )
