"""The pods of a `Workload`: environment, volumes, probes and security, as systemd sets them up for
the same service on a machine.

The functions return nested dicts and lists that may contain Nix expressions.
`nixgen.lowering.attributes.folded` turns them into one expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.attributes import folded
from nixgen.lowering.identity import identity
from nixgen.lowering.scope import Scope, string
from nixgen.models import (
    Application,
    CommandCheck,
    HttpCheck,
    Image,
    Service,
    TcpCheck,
    Workload,
    plain_text,
    port_name,
)
from nixgen.syntax import Expr

__all__ = ["container_names", "image_reference", "literal", "mentions_store", "pod"]

#: Kernel setting of the pod's network: the first port that a user other than root may bind.
_LOW_PORTS = "net.ipv4.ip_unprivileged_port_start"
#: 0440, in decimal because manifests have no octal numbers. The group is the pod's own.
_CREDENTIALS_MODE = 288

# https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/:
# in commands and variables $(NAME) is replaced, and $$ is one dollar; any other dollar is itself.
_DOLLAR = re.compile(r"\$(?=[$(])")


def literal(text: str) -> str:
    """Escape text of a command or variable, so that Kubernetes replaces nothing in it.

    :param text: Text to escape.
    """
    return _DOLLAR.sub("$$", text)


def image_reference(application: Application, image: Image) -> str:
    """The reference by which a cluster pulls an image: ``registry/name:tag``.

    :param application: Application that names the registry.
    :param image: Image to refer to.
    """
    # without a host, engines would look for a stranger's image of that name on Docker Hub
    return f"{application.registry or 'localhost'}/{image.name}:{image.tag}"


def container_names(service: Service) -> tuple[str, ...]:
    """The names of the containers of a service's pods: the service itself, then its setup in order.

    :param service: Service that runs in the pods.
    """
    stem = "prepare" if service.name.startswith("setup-") else "setup"
    return (service.name, *(f"{stem}-{number + 1}" for number in range(len(service.setup))))


def mentions_store(workload: Workload) -> bool:
    """Decide if the manifests of a workload hold store paths. Rendering them takes packages then.

    :param workload: Workload to look at.
    """
    service = workload.service
    words = [word for command in service.setup for word in command]
    if isinstance(service.health, CommandCheck):
        words.extend(service.health.command)
    return any(plain_text(word) is None for word in words)


def pod(scope: Scope, application: Application, workload: Workload) -> dict[str, Any]:
    """The ``spec`` of a workload's pods.

    :param scope: Scope of the file, which binds what several containers share.
    :param application: Application that the workload is part of.
    :param workload: Workload to lower.
    """
    service = workload.service
    _, *setup_names = container_names(service)
    common = _without_empty(
        {
            "image": image_reference(application, workload.image),
            # without a registry there is nowhere to pull from
            **({} if application.registry else {"imagePullPolicy": "Never"}),
            "env": {name: {"value": value} for name, value in _variables(workload)},
            "securityContext": _container_security(service),
            "volumeMounts": {path: {"name": volume} for volume, path, _ in _volumes(workload)},
        }
    )
    ports = {
        port_name(port): {"containerPort": port.number, "protocol": port.protocol.upper()}
        for port in service.ports
    }
    own = _without_empty({"ports": ports, **_probes(scope, service)})
    spec = {
        # nothing here asks the API server
        "automountServiceAccountToken": False,
        # otherwise a Service called redis gives each pod of its namespace a variable REDIS_PORT
        "enableServiceLinks": False,
        "securityContext": _pod_security(service),
        "volumes": {volume: source for volume, _, source in _volumes(workload)},
    }
    if not service.setup:
        return {**spec, "containers": {service.name: {**common, **own}}}
    shared = scope.share(f"{service.name}-container", folded(common))
    # a list, for they run in order
    setup = [
        nix.BinaryOp("//", shared, folded({"name": name, "command": _command(scope, command)}))
        for name, command in zip(setup_names, service.setup, strict=True)
    ]
    container = nix.BinaryOp("//", shared, folded(own)) if own else shared
    return {**spec, "containers": {service.name: container}, "initContainers": setup}


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out fields that are empty."""
    return {name: value for name, value in fields.items() if value != {}}


def _variables(workload: Workload) -> Iterator[tuple[str, str]]:
    """Yield the variables that the manifest holds: those of plain text. Values with store paths are
    in the image, which has these paths as well.
    """
    service = workload.service
    # as systemd.exec(5) has them
    for variable, path in (
        ("CREDENTIALS_DIRECTORY", _credentials(service) if service.secrets else None),
        ("RUNTIME_DIRECTORY", service.runtime_directory and f"/run/{service.runtime_directory}"),
        ("STATE_DIRECTORY", service.state_directory and f"/var/lib/{service.state_directory}"),
    ):
        if path is not None and variable not in service.environment:
            yield variable, path
    for name, value in {**service.environment, **workload.environment}.items():
        plain = plain_text(value)
        if plain is not None:
            yield name, literal(plain)


def _credentials(service: Service) -> str:
    return f"/run/credentials/{service.name}.service"


def _volumes(workload: Workload) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each volume as its name, its mount point and its source: the writable folders, and the
    secrets.
    """
    service = workload.service
    yield "tmp", "/tmp", {"emptyDir": {}}  # noqa: S108  # in the container
    if service.runtime_directory is not None:
        yield "runtime", f"/run/{service.runtime_directory}", {"emptyDir": {}}
    if service.state_directory is not None:
        claim = {"persistentVolumeClaim": {"claimName": service.name}}
        yield "state", f"/var/lib/{service.state_directory}", claim
    if service.secrets:
        # each is a Secret of the cluster with one key, both of its name; pods wait until there is one
        sources = [
            {
                "secret": {
                    "items": [{"key": secret.name, "path": secret.name}],
                    "name": secret.name,
                }
            }
            for secret in service.secrets
        ]
        projected = {"defaultMode": _CREDENTIALS_MODE, "sources": sources}
        yield "credentials", _credentials(service), {"projected": projected}


def _probes(scope: Scope, service: Service) -> dict[str, Any]:
    """The three probes of a service's health check. A pod has one minute to start. Later the
    Service sends it no requests while the check fails, and it starts again when the check keeps
    failing.
    """
    handler = _handler(scope, service)
    if handler is None:
        return {}
    check = scope.share(f"{service.name}-check", nix.Mark(folded(handler), service.origin))

    def with_patience(settings: dict[str, int]) -> Expr:
        return nix.BinaryOp("//", check, folded(settings))

    return {
        "startupProbe": with_patience({"failureThreshold": 60, "periodSeconds": 1}),
        "readinessProbe": check,
        # a slow answer is no reason to kill
        "livenessProbe": with_patience({"timeoutSeconds": 5}),
    }


def _handler(scope: Scope, service: Service) -> dict[str, Any] | None:
    check = service.health
    if isinstance(check, CommandCheck):
        return {"exec": {"command": _command(scope, check.command)}}
    port = service.health_port()
    if port is None:
        return None
    if isinstance(check, HttpCheck):
        return {"httpGet": {"path": check.path, "port": port_name(port)}}
    if isinstance(check, TcpCheck):
        return {"tcpSocket": {"port": port_name(port)}}
    return None


def _command(scope: Scope, words: Iterable[Any]) -> Expr:
    return nix.List(_word(scope, word) for word in words)


def _word(scope: Scope, word: Any) -> Expr:
    # joined first: a dollar may end one piece, and a parenthesis begin the next
    joined = nix.Interpolation(scope.parts(word))
    return string(literal(part) if isinstance(part, str) else part for part in joined.parts)


def _container_security(service: Service) -> dict[str, Any]:
    """The security context of a container: the parts of `Hardening` that concern a container. The
    other parts protect a host, which a pod does not see.
    """
    hardening = service.hardening
    security: dict[str, Any] = {"readOnlyRootFilesystem": hardening.filesystem == "strict"}
    if not hardening.new_privileges:
        security["allowPrivilegeEscalation"] = False
    if hardening.capabilities:
        names = [name.removeprefix("CAP_") for name in hardening.capabilities]
        security["capabilities"] = {"add": names, "drop": ["ALL"]}
    elif not service.runs_as_root:
        # users have no capabilities, and can gain none
        security["capabilities"] = {"drop": ["ALL"]}
    return security


def _pod_security(service: Service) -> dict[str, Any]:
    uid, gid = identity(service)
    # the default profile forbids new namespaces, as well as calls that no service should need
    confined = service.hardening.system_calls and not service.hardening.namespaces
    security: dict[str, Any] = {
        # volumes belong to the group
        "fsGroup": gid,
        "runAsGroup": gid,
        "runAsUser": uid,
        "seccompProfile": {"type": "RuntimeDefault" if confined else "Unconfined"},
    }
    if not service.runs_as_root:
        security["runAsNonRoot"] = True
        low = [port.number for port in service.ports if port.privileged]
        if low:
            # a capability would not do: containers cannot hand them to a user
            security["sysctls"] = {_LOW_PORTS: {"value": str(min(low))}}
    return security
