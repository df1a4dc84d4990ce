"""The project: everything that infra.py describes."""

from __future__ import annotations

import attrs

from nixgen.models.builders import Builder, as_builders
from nixgen.models.cache import Cache, as_caches
from nixgen.models.checks import TARGET_NAME, checked, models
from nixgen.models.cluster import Cluster, as_clusters
from nixgen.models.core import Model
from nixgen.models.environment import Environment, as_environments
from nixgen.models.files import Package, as_packages, package_list
from nixgen.models.image import Image, as_images
from nixgen.models.kubernetes import Application, as_applications
from nixgen.models.machine import Machine, as_machines
from nixgen.models.test import Test, as_tests

__all__ = ["Project"]


@attrs.frozen(eq=False)
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

    name: str = attrs.field(metadata=checked(TARGET_NAME))
    machines: tuple[Machine, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_machines,
        metadata=models(Machine),
    )
    clusters: tuple[Cluster, ...] = attrs.field(
        default=(), kw_only=True, converter=as_clusters, metadata=models(Cluster)
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
