"""nixgen: one typed Python description of a platform, compiled to Nix, built, cached, containerised and booted.

The names a project's infra.py needs are here; they are loaded when first used, so ``nixgen --version`` stays instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nixgen.documents.descriptor import read_descriptor
    from nixgen.models import (
        Application,
        Boot,
        Builder,
        Cache,
        Cluster,
        CommandCheck,
        ConfigFile,
        Ec2,
        Environment,
        FileSystem,
        Hardening,
        HttpCheck,
        Image,
        Ingress,
        Interface,
        Machine,
        Network,
        NixModule,
        Overlay,
        Package,
        Port,
        Project,
        Secret,
        SecurityGroup,
        Service,
        Source,
        Subnet,
        TcpCheck,
        Test,
        TmpfilesRule,
        Upstream,
        User,
        Volume,
        Workload,
        mk_after,
        mk_before,
        mk_default,
        mk_force,
        text,
    )

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
    "HttpCheck",
    "Image",
    "Ingress",
    "Interface",
    "Machine",
    "Network",
    "NixModule",
    "Overlay",
    "Package",
    "Port",
    "Project",
    "Secret",
    "SecurityGroup",
    "Service",
    "Source",
    "Subnet",
    "TcpCheck",
    "Test",
    "TmpfilesRule",
    "Upstream",
    "User",
    "Volume",
    "Workload",
    "mk_after",
    "mk_before",
    "mk_default",
    "mk_force",
    "read_descriptor",
    "text",
]


def __getattr__(name: str) -> object:
    if name == "read_descriptor":
        from nixgen.documents.descriptor import read_descriptor

        return read_descriptor
    if name in __all__:
        from nixgen import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
