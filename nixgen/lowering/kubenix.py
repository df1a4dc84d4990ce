"""An `Application` as a kubenix module, and the modules that an `Environment` lays over
applications.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.attributes import folded
from nixgen.lowering.pod import container_names, literal, mentions_store, pod
from nixgen.lowering.scope import Scope
from nixgen.models import Application, Environment, Workload, plain_text, port_name
from nixgen.syntax import Expr

__all__ = ["application_module", "changes_application", "needs_packages", "overlay_application"]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
_MANAGED_BY = "app.kubernetes.io/managed-by"
_NAME = "app.kubernetes.io/name"
_PART_OF = "app.kubernetes.io/part-of"
#: https://kubernetes.io/docs/reference/labels-annotations-taints/#description
_DESCRIPTION = "kubernetes.io/description"


def application_module(application: Application) -> Expr:
    """The kubenix module of an application.

    :param application: Application to lower.
    """
    scope = Scope()
    resources: dict[str, dict[str, Any]] = {}
    namespace = application.own_namespace
    if namespace is not None:
        # kubenix would put the namespace into itself
        metadata = {"labels": _labels(application), "namespace": None}
        resources["namespaces"] = {namespace: {"metadata": metadata}}
    for workload in application.workloads:
        for kind, resource in _resources(scope, application, workload):
            marked = nix.Mark(folded(resource), workload.origin)
            resources.setdefault(kind, {})[workload.name] = marked
    kubernetes: dict[str, Any] = {"version": application.kubernetes_version, "resources": resources}
    if application.namespace is not None:
        kubernetes["namespace"] = application.namespace
    body = folded(
        {
            "imports": [
                nix.Select(nix.Var("kubenix"), ("modules", "k8s")),
                *scope.imports(application.modules),
            ],
            "kubenix": {"project": application.name},
            "kubernetes": kubernetes,
        }
    )
    mentioned = any(map(mentions_store, application.workloads))
    arguments = ("kubenix", "pkgs") if mentioned else ("kubenix",)
    return nix.Function(arguments, scope.wrap(nix.Mark(body, application.origin)), ellipsis=True)


def needs_packages(application: Application) -> bool:
    """Decide if rendering the manifests takes a package set: they may hold store paths.

    :param application: Application to render.
    """
    return bool(application.modules) or any(map(mentions_store, application.workloads))


def _resources(
    scope: Scope, application: Application, workload: Workload
) -> Iterator[tuple[str, dict[str, Any]]]:
    service, name = workload.service, workload.name
    own = _labels(application, workload)

    def shared(what: str, value: dict[str, str]) -> Expr:
        return scope.share(f"{name}-{what}", nix.Mark(folded(value), workload.origin))

    labels = shared("labels", own)
    # no release may change these labels, because the selector of a Deployment cannot change
    selector = shared("selector", {key: own[key] for key in (_NAME, _PART_OF)})
    described = {"annotations": {_DESCRIPTION: service.description}} if service.description else {}
    # two pods cannot use the same storage at a time
    strategy = {} if workload.storage is None else {"strategy": {"type": "Recreate"}}
    yield (
        "deployments",
        {
            "metadata": {"labels": labels, **described},
            "spec": {
                "replicas": workload.replicas,
                "selector": {"matchLabels": selector},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": pod(scope, application, workload),
                },
                **strategy,
            },
        },
    )
    if service.ports:
        ports = {
            port_name(port): {
                "port": port.number,
                "protocol": port.protocol.upper(),
                "targetPort": port_name(port),
            }
            for port in service.ports
        }
        spec = {"ports": ports, "selector": selector}
        yield "services", {"metadata": {"labels": labels}, "spec": spec}
    if workload.storage is not None:
        claim = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{workload.storage}Mi"}},
        }
        yield "persistentVolumeClaims", {"metadata": {"labels": labels}, "spec": claim}


def _labels(application: Application, workload: Workload | None = None) -> dict[str, str]:
    """The labels of a workload's resources, or of the application's own when ``workload`` is None:
    those of the models, and those that nixgen adds.
    """
    labels = dict(application.labels)
    if workload is not None:
        labels |= {**workload.labels, _NAME: workload.name}
    return {**labels, _MANAGED_BY: "nixgen", _PART_OF: application.name}


def changes_application(environment: Environment, application: Application) -> bool:
    """Decide if an environment changes an application.

    :param environment: Environment whose variables are compared.
    :param application: Application that may have some of these variables.
    """
    return any(
        name in workload.service.environment
        for workload in application.workloads
        for name in environment.variables
    )


def overlay_application(application: Application, environment: Environment) -> Expr:
    """The kubenix module that an environment lays over an application that it changes.

    :param application: Application below the module.
    :param environment: Environment with the new values.
    """
    force = nix.Select(nix.Var("lib"), ("mkForce",))
    deployments: dict[str, Any] = {}
    for workload in application.workloads:
        changed = {
            # the models' check leaves nothing but plain text
            name: {"value": nix.Call(force, (nix.Str(literal(plain_text(value) or "")),))}
            for name, value in environment.variables.items()
            if name in workload.service.environment
        }
        if not changed:
            continue
        main, *setup = container_names(workload.service)
        spec: dict[str, Any] = {"containers": {main: {"env": changed}}}
        if setup:
            spec["initContainers"] = {name: {"env": changed} for name in setup}
        deployments[workload.name] = {"spec": {"template": {"spec": spec}}}
    body = folded({"kubernetes": {"resources": {"deployments": deployments}}})
    return nix.Function(("lib",), nix.Mark(body, environment.origin), ellipsis=True)
