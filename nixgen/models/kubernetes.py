"""What a cluster runs: workloads, and the applications that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, get_args

import attrs

from nixgen.models.core import (
    FLAG,
    LABEL,
    LABEL_RULE,
    Fault,
    Many,
    Model,
    as_string_dict,
    as_tuple,
    checked,
    mapping,
    model,
    models,
    one_of,
    optional,
    pattern,
    whole_number,
)
from nixgen.models.files import textual_value
from nixgen.models.image import Image
from nixgen.models.machine import module_list
from nixgen.models.nixos import NixModule, as_modules
from nixgen.models.service import ENVIRONMENT_NAME, Port, Service
from nixgen.models.text import Interpolated, Text

__all__ = ["KUBERNETES_VERSIONS", "Application", "Workload", "port_name"]

#: What kubenix has types for, and nix/bases/debian/kubernetes knows.
KubernetesVersion = Literal[
    "1.19",
    "1.20",
    "1.21",
    "1.22",
    "1.23",
    "1.24",
    "1.25",
    "1.26",
    "1.27",
    "1.28",
    "1.29",
    "1.30",
    "1.31",
    "1.32",
    "1.33",
    "1.34",
    "1.35",
    "1.36",
]
KUBERNETES_VERSIONS: tuple[str, ...] = get_args(KubernetesVersion)
#: Every cluster has them; who describes one would take it away with the application.
_GIVEN_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
#: What nixgen itself says of every resource, and what it selects pods by.
_OWN_LABELS = frozenset(f"app.kubernetes.io/{name}" for name in ("managed-by", "name", "part-of"))

# RFC 1123 label
_NAME = pattern(LABEL, what="a name", example="shop", allowed=LABEL_RULE)
_NAMESPACE = pattern(
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", what="a Kubernetes namespace", example="shop"
)
# https://github.com/distribution/reference: a host with an optional port, then components of a repository's name
_REGISTRY = pattern(
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
    what="a registry",
    example="registry.example.org/team",
)
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LABEL_NAME = pattern(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
    what="the name of a label",
    example="team or example.org/team",
)
_LABEL_VALUE = pattern(
    r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?",
    what="the value of a label",
    example="payments; letters, digits, dashes, dots and underscores, 63 at most",
)


def _label_name(value: Any) -> Iterator[Fault]:
    yield from _LABEL_NAME(value)
    if value in _OWN_LABELS:
        yield "", "is set by nixgen, which selects pods by it", "choose another name"
    elif isinstance(value, str) and value.startswith("kubenix/"):
        yield "", "is one of kubenix's own, which are left out", "choose another prefix"


def _plain_text(value: Any) -> Iterator[Fault]:
    if isinstance(value, Text | Interpolated):
        yield (
            "",
            "mentions a store path, which the image has only if its service mentions it",
            "put it into the environment of the Service",
        )
    else:
        yield from textual_value(value)


_LABELS = mapping(_label_name, _LABEL_VALUE)


def port_name(port: Port) -> str:
    """What a port is called in a cluster, where every port has a name."""
    return port.name or f"{port.protocol}-{port.number}"


@attrs.frozen(eq=False)
class Workload(Model):
    """A service as a cluster runs it: pods of its image, and one address for them where it listens.

    :param image: one of the project's images, made of that service.
    :param replicas: pods at a time.
    :param environment: values that replace those of the service, such as addresses that differ in a cluster.
    :param storage: MiB that outlive every pod, for the service's ``state_directory``.
    :param labels: on its resources and pods.
    """

    addressed_by_name: ClassVar[bool] = True

    service: Service = attrs.field(metadata=model(Service))
    image: Image = attrs.field(kw_only=True, metadata=model(Image))
    replicas: int = attrs.field(default=1, kw_only=True, metadata=checked(whole_number(0, 10_000)))
    environment: Mapping[str, str] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_string_dict,
        metadata=checked(mapping(ENVIRONMENT_NAME, _plain_text)),
    )
    storage: int | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(whole_number(1, 2**30)))
    )
    labels: Mapping[str, str] = attrs.field(
        factory=dict, kw_only=True, converter=as_string_dict, metadata=checked(_LABELS)
    )

    @property
    def name(self) -> str:
        """That of its service. Asked for in checks, too, where the service may be anything."""
        return getattr(self.service, "name", "")


def as_workloads(value: Many[Workload]) -> tuple[Workload, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Application(Model):
    """Workloads that are one unit to a cluster: rendered, compared and applied together.

    :param namespace: where it is; without one, wherever it is applied.
    :param create_namespace: the namespace is one of its resources; False when somebody else looks after it.
    :param registry: where its images are pulled from, with the part of their names that they share; without one they
        are on the nodes already.
    :param labels: on all its resources and pods.
    :param modules: kubenix modules of the project's own, for what nixgen has no words for.
    :param kubernetes_version: of the API that its resources are written for.
    """

    addressed_by_name: ClassVar[bool] = True

    name: str = attrs.field(metadata=checked(_NAME))
    workloads: tuple[Workload, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_workloads,
        metadata=models(Workload),
    )
    namespace: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(_NAMESPACE))
    )
    create_namespace: bool = attrs.field(default=True, kw_only=True, metadata=FLAG)
    registry: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(_REGISTRY))
    )
    labels: Mapping[str, str] = attrs.field(
        factory=dict, kw_only=True, converter=as_string_dict, metadata=checked(_LABELS)
    )
    modules: tuple[NixModule, ...] = attrs.field(
        default=(), kw_only=True, converter=as_modules, metadata=checked(module_list)
    )
    kubernetes_version: KubernetesVersion = attrs.field(
        default="1.34", kw_only=True, metadata=checked(one_of(KubernetesVersion))
    )

    @property
    def own_namespace(self) -> str | None:
        """The namespace that is one of its resources."""
        own = self.create_namespace and self.namespace not in _GIVEN_NAMESPACES
        return self.namespace if own else None

    def faults(self) -> Iterator[Fault]:
        if self.workloads == () and self.modules == ():
            yield (
                ".workloads",
                "is empty",
                "an application needs a workload, or a module that has any",
            )


def as_applications(value: Many[Application]) -> tuple[Application, ...]:
    return as_tuple(value)
