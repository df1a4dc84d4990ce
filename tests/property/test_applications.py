"""Manifests of random applications on the Debian base: a cluster reads the values of the models."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from kubernetes_projects import ENVIRONMENT, projects
from kubernetes_render import render_projects

from nixgen.kubernetes.document import parse_document
from nixgen.models import Application, Project, Workload, check

pytestmark = pytest.mark.real

_SAMPLES = 80


@pytest.fixture(scope="module")
def samples() -> list[Project]:
    """The same every time: asking Nix about one at a time would take minutes."""
    found: list[Project] = []

    @settings(max_examples=_SAMPLES, phases=[Phase.generate])
    @given(projects())
    def collect(project: Project) -> None:
        found.append(project)

    collect()
    return found


@pytest.fixture(scope="module")
def rendered(samples: list[Project]) -> list[dict[str, Any]]:
    return render_projects(samples, {})


def pairs(
    samples: list[Project], rendered: list[dict[str, Any]]
) -> Iterator[tuple[Application, Workload, dict[tuple[str, str], Any]]]:
    """Every workload with the resources of its application by kind and name."""
    for project, documents in zip(samples, rendered, strict=True):
        for application in project.applications:
            resources = {
                (each["kind"], each["metadata"]["name"]): each
                for each in documents[application.name]["resources"]["items"]
            }
            for workload in application.workloads:
                yield application, workload, resources


def literal_of(value: str) -> str:
    """What a program gets of a value in a manifest, with no variable defined (see test_lowering_kubernetes.py)."""
    out, at = "", 0
    while at < len(value):
        if value.startswith("$$", at):
            out, at = out + "$", at + 2
        else:
            out, at = out + value[at], at + 1
    return out


def test_samples_are_sound(samples: list[Project]) -> None:
    assert len(samples) > _SAMPLES // 2
    for project in samples:
        assert check(project) == ()


def test_every_application_renders_to_a_document(
    samples: list[Project], rendered: list[dict[str, Any]]
) -> None:
    for project, documents in zip(samples, rendered, strict=True):
        for application in project.applications:
            document = parse_document(documents[application.name], application.name)
            assert document.version == application.kubernetes_version
            assert document.namespace == application.namespace
            kinds = [resource["kind"] for resource in document.resources]
            assert ("Namespace" in kinds) is (application.own_namespace is not None)
            assert kinds.index("Namespace") == 0 if "Namespace" in kinds else True


def test_programs_get_the_variables_of_the_models(
    samples: list[Project], rendered: list[dict[str, Any]]
) -> None:
    for _, workload, resources in pairs(samples, rendered):
        pod = resources["Deployment", workload.name]["spec"]["template"]["spec"]
        said = {**workload.service.environment, **workload.environment}
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            got = {each["name"]: literal_of(each["value"]) for each in container.get("env", ())}
            assert said.items() <= got.items()
            assert set(got) - set(said) <= {"CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"}  # fmt: skip


def test_references_between_resources_lead_to_a_resource(
    samples: list[Project], rendered: list[dict[str, Any]]
) -> None:
    for application, workload, resources in pairs(samples, rendered):
        deployment = resources["Deployment", workload.name]
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert {**application.labels, **workload.labels}.items() <= labels.items()
        (container,) = template["spec"]["containers"]
        ports = {each["name"] for each in container.get("ports", ())}
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            for handler in container.get(probe, {}).values():
                if isinstance(handler, Mapping) and "port" in handler:
                    assert handler["port"] in ports
        service = resources.get(("Service", workload.name))
        assert (service is None) is (not workload.service.ports)
        if service is not None:
            assert service["spec"]["selector"].items() <= labels.items()
            assert {each["targetPort"] for each in service["spec"]["ports"]} == ports
            assert {(each["port"], each["protocol"].lower()) for each in service["spec"]["ports"]} == {
                (port.number, port.protocol) for port in workload.service.ports
            }  # fmt: skip
        volumes = {each["name"]: each for each in template["spec"]["volumes"]}
        assert {each["name"] for each in container["volumeMounts"]} == set(volumes)
        claim = volumes.get("state", {}).get("persistentVolumeClaim")
        assert (claim is not None) is (workload.storage is not None)
        if claim is not None:
            assert ("PersistentVolumeClaim", claim["claimName"]) in resources


def test_an_environment_changes_its_variables_and_nothing_else(
    samples: list[Project], rendered: list[dict[str, Any]]
) -> None:
    other = render_projects(samples, {}, environment=ENVIRONMENT)
    after = pairs(samples, other)
    for (_, workload, before), (_, _, changed) in zip(pairs(samples, rendered), after, strict=True):
        (environment,) = next(p.environments for p in samples if workload.image in p.images)
        assert before.keys() == changed.keys()
        for key, resource in changed.items():
            assert without(before[key], environment.variables) == without(
                resource, environment.variables
            )
        wanted = {
            name: value
            for name, value in environment.variables.items()
            if name in workload.service.environment
        }
        for container in containers(changed["Deployment", workload.name]):
            got = {each["name"]: literal_of(each["value"]) for each in container.get("env", ())}
            assert wanted.items() <= got.items()


def containers(resource: dict[str, Any]) -> list[dict[str, Any]]:
    if resource["kind"] != "Deployment":
        return []
    pod = resource["spec"]["template"]["spec"]
    return [*pod["containers"], *pod.get("initContainers", ())]


def without(resource: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    copied = copy.deepcopy(resource)
    for container in containers(copied):
        container["env"] = [each for each in container.get("env", ()) if each["name"] not in names]
    return copied
