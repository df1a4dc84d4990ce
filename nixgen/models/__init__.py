"""The models that describe a platform: frozen values, free of I/O and of Nix text.

References between models are objects. Text that mentions a store path is built with `text`, or with
``/`` on the object itself, so plain data can never become Nix code::

    nginx = Package("nginx")
    conf = ConfigFile("nginx.conf", text("root ${site};", site=Source("site")))
    Service("proxy", command=(nginx / "bin/nginx", "-c", conf), ports=[Port(80)])

Constructors accept any value and remember the user's file and line; `check` then reports every
problem of a project at once.
"""

from nixgen.models.builders import Builder
from nixgen.models.cache import Cache, Upstream
from nixgen.models.cluster import Cluster, Member, members
from nixgen.models.core import Model, Origin, caller
from nixgen.models.disk import Boot, FileSystem, TmpfilesRule
from nixgen.models.ec2 import Ec2, Ingress, SecurityGroup, Subnet, Volume
from nixgen.models.environment import Environment, Overlay
from nixgen.models.files import ConfigFile, Package, Secret, Source, StoreReference
from nixgen.models.hardening import Hardening
from nixgen.models.image import Image
from nixgen.models.kubernetes import Application, Workload, port_name
from nixgen.models.machine import Machine
from nixgen.models.network import Interface, Network
from nixgen.models.nixos import (
    NixModule,
    Property,
    mk_after,
    mk_before,
    mk_default,
    mk_force,
    option_path,
    options_at,
)
from nixgen.models.project import Project
from nixgen.models.rules.check import check, forget_misuses, misuses_beside, require_valid
from nixgen.models.rules.packages import packages_of, renamed_packages, sources_of
from nixgen.models.rules.visit import walk
from nixgen.models.service import (
    CommandCheck,
    HealthCheck,
    HttpCheck,
    Port,
    Service,
    TcpCheck,
    User,
)
from nixgen.models.test import Test
from nixgen.models.text import Interpolated, Text, plain_text, text

__all__ = [
    "Application",
    "Boot",
    "Builder",
    "Cache",
    "Cluster",
    "CommandCheck",
    "ConfigFile",
    "Ec2",
    "Environment",
    "FileSystem",
    "Hardening",
    "HealthCheck",
    "HttpCheck",
    "Image",
    "Ingress",
    "Interface",
    "Interpolated",
    "Machine",
    "Member",
    "Model",
    "Network",
    "NixModule",
    "Origin",
    "Overlay",
    "Package",
    "Port",
    "Project",
    "Property",
    "Secret",
    "SecurityGroup",
    "Service",
    "Source",
    "StoreReference",
    "Subnet",
    "TcpCheck",
    "Test",
    "Text",
    "TmpfilesRule",
    "Upstream",
    "User",
    "Volume",
    "Workload",
    "caller",
    "check",
    "forget_misuses",
    "members",
    "misuses_beside",
    "mk_after",
    "mk_before",
    "mk_default",
    "mk_force",
    "option_path",
    "options_at",
    "packages_of",
    "plain_text",
    "port_name",
    "renamed_packages",
    "require_valid",
    "sources_of",
    "text",
    "walk",
]
