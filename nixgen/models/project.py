"""The project: everything that infra.py describes."""

from __future__ import annotations

from nixgen.models.builders import Builder
from nixgen.models.cache import Cache
from nixgen.models.cluster import Cluster
from nixgen.models.core import Model
from nixgen.models.environment import Environment
from nixgen.models.fields import ListOf, field, list_of, model
from nixgen.models.files import Package
from nixgen.models.image import Image
from nixgen.models.kubernetes import Application
from nixgen.models.lines import TargetName
from nixgen.models.machine import Machine
from nixgen.models.test import Test

__all__ = ["Project"]


@model
class Project(Model):
    """A whole platform. infra.py defines one, as ``project``.

    :param name: Name of the project.
    :param machines: Machines of the platform. A machine that a test or an overlay names must be
        among them.
    :param clusters: Kubernetes clusters of those machines.
    :param images: OCI images. An image that a workload runs must be among them.
    :param applications: Kubernetes applications.
    :param tests: Tests that boot machines.
    :param packages: Packages to build as targets of their own.
    :param tools: Packages for people who work on the project: ``nixgen shell`` and ``nix develop``
        have their programs, beside those that nixgen itself needs.
    :param environments: Places that the platform runs in, such as staging.
    :param caches: Binary caches of the project.
    :param builders: Remote builders, other computers that build for this one.
    """

    name: str = field(TargetName, kw_only=False)
    machines: ListOf[Machine] = list_of(Machine, default=())
    clusters: ListOf[Cluster] = list_of(Cluster, default=())
    images: ListOf[Image] = list_of(Image, default=())
    applications: ListOf[Application] = list_of(Application, default=())
    tests: ListOf[Test] = list_of(Test, default=())
    packages: ListOf[Package] = list_of(Package, default=())
    tools: ListOf[Package] = list_of(Package, default=())
    environments: ListOf[Environment] = list_of(Environment, default=())
    caches: ListOf[Cache] = list_of(Cache, default=())
    builders: ListOf[Builder] = list_of(Builder, default=())
