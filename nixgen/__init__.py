"""nixgen compiles a typed Python description of a platform to Nix, and builds, caches, containerises
and boots the result.

This package exports the names that a project's infra.py needs, listed in ``__all__``. They are
loaded when the first of them is used, so that ``nixgen --version`` loads none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nixgen.documents.descriptor import read_descriptor
    from nixgen.models.infra import *
else:
    # not for type checkers, which would take any name for one that exists

    def __getattr__(name: str) -> object:
        if name == "read_descriptor":
            from nixgen.documents.descriptor import read_descriptor

            return read_descriptor
        if name in __all__:
            from nixgen import models

            return getattr(models, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
    "Generated",
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
