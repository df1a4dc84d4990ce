"""Kubernetes: workloads, and the applications that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from nixgen.models.checks import pattern, whole_number
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, choice, dict_of, field, flag, list_of, model
from nixgen.models.files import textual_value
from nixgen.models.image import Image
from nixgen.models.lines import EnvironmentName, PlainText, TargetName
from nixgen.models.nixos import NixModule
from nixgen.models.service import Port, Service
from nixgen.models.text import Interpolated, Text

__all__ = ["Application", "Workload"]

#: Versions that kubenix has types for and that nix/bases/debian/kubernetes knows.
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
#: Namespaces of every cluster. An application that created one would delete it together with itself.
_GIVEN_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
#: Labels that nixgen itself sets on every resource, and by which it selects pods.
_OWN_LABELS = frozenset(f"app.kubernetes.io/{name}" for name in ("managed-by", "name", "part-of"))


class Namespace(
    PlainText,
    check=pattern(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", what="a Kubernetes namespace", example="shop"
    ),
):
    """The name of a namespace."""

    __slots__ = ()


# https://github.com/distribution/reference: a host with an optional port, then components of a repository's name
class Registry(
    PlainText,
    check=pattern(
        r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
        what="a registry",
        example="registry.example.org/team",
    ),
):
    """The start of the references of images."""

    __slots__ = ()


# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LABEL_NAME = pattern(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
    what="the name of a label",
    example="team or example.org/team",
)


def _label_name(value: Any) -> Iterator[Fault]:
    yield from _LABEL_NAME(value)
    if value in _OWN_LABELS:
        yield "", "is set by nixgen, which selects pods by it", "choose another name"
    elif isinstance(value, str) and value.startswith("kubenix/"):
        yield "", "is a label of kubenix, and nixgen leaves those out", "choose another prefix"


class LabelName(PlainText, check=_label_name):
    """The name of a label."""

    __slots__ = ()


class LabelValue(
    PlainText,
    check=pattern(
        r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?",
        what="the value of a label",
        example="payments; letters, digits, dashes, dots and underscores, 63 at most",
    ),
):
    """The value of a label."""

    __slots__ = ()


def _plain_text(value: Any) -> Iterator[Fault]:
    if isinstance(value, Text | Interpolated):
        yield (
            "",
            "mentions a store path, which the image has only if its service mentions it",
            "put it into the environment of the Service",
        )
    else:
        yield from textual_value(value)


def port_name(port: Port) -> str:
    """The name of a port in a cluster, where every port has a name: its own, or one such as
    ``tcp-80``.

    :param port: Port to name.
    """
    return port.name or f"{port.protocol}-{port.number}"


@model
class Workload(Model):
    """A service in a cluster: pods that run its image, and one address for all of them when the
    service has ports.

    :param service: Service that the pods run.
    :param image: Image of the pods: one of the project's images, made of ``service``.
    :param replicas: Number of pods, 1 unless given. A workload with storage has at most one.
    :param environment: Values of environment variables that replace those of the service, such as
        addresses that differ in a cluster. Text without store paths only.
    :param storage: MiB of the persistent volume for the service's ``state_directory``; the volume
        outlives every pod. Required when the service has a ``state_directory``, and refused
        otherwise.
    :param labels: Kubernetes labels of the workload's resources and pods. A label of the same name
        in the application gives way.
    """

    addressed_by_name = True

    service: Service = field(Service, kw_only=False)
    image: Image = field(Image)
    replicas: int = field(whole_number(0, 10_000), default=1)
    environment: Mapping[str, str] = dict_of(
        EnvironmentName, _plain_text, default={}, lines=(PlainText,)
    )
    storage: int | None = field(whole_number(1, 2**30), default=None)
    labels: Mapping[str, str] = dict_of(LabelName, LabelValue, default={})

    @property
    def name(self) -> str:
        """The name of its service. Checks read it too, where the service may be a wrong value."""
        return getattr(self.service, "name", "")


@model
class Application(Model):
    """A set of workloads that is rendered, compared and applied to a cluster as one unit.

    :param name: Name of the application on the command line and in the labels of its resources.
    :param workloads: Workloads of the application. It needs at least one, unless it has
        ``modules``.
    :param namespace: Kubernetes namespace of the resources. None (the default) means the namespace
        that the application is applied in.
    :param create_namespace: True (the default) when the namespace is one of the application's
        resources. False when somebody else manages it. Namespaces that every cluster has, such as
        ``default``, are never created.
    :param registry: Registry that the images are pulled from, with the shared start of their names:
        ``registry.example.org/team``. None (the default) means that the nodes have the images
        already.
    :param labels: Kubernetes labels of all its resources and pods.
    :param modules: kubenix modules, written by hand, for resources that nixgen has no model for.
    :param kubernetes_version: Version of the Kubernetes API that the resources are written for,
        ``1.34`` unless given.
    """

    addressed_by_name = True

    name: str = field(TargetName, kw_only=False)
    workloads: ListOf[Workload] = list_of(Workload, default=())
    namespace: str | None = field(Namespace, default=None)
    create_namespace: bool = flag(default=True)
    registry: str | None = field(Registry, default=None)
    labels: Mapping[str, str] = dict_of(LabelName, LabelValue, default={})
    modules: ListOf[NixModule] = list_of(NixModule, default=())
    kubernetes_version: KubernetesVersion = choice(KubernetesVersion, default="1.34")

    @property
    def own_namespace(self) -> str | None:
        """The namespace that the application creates as one of its resources. None when it creates
        none.
        """
        own = self.create_namespace and self.namespace not in _GIVEN_NAMESPACES
        return self.namespace if own else None

    def faults(self) -> Iterator[Fault]:
        if self.workloads == () and self.modules == ():
            yield (
                ".workloads",
                "is empty",
                "an application needs a workload, or a module that has any",
            )
