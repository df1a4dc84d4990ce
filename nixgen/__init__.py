"""nixgen: one typed Python description of a platform, compiled to Nix, built, cached, containerised and booted.

The names a project's infra.py needs are here; they are loaded when first used, so ``nixgen --version`` stays instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nixgen.models import (
        Builder,
        Cache,
        CommandCheck,
        ConfigFile,
        Environment,
        HttpCheck,
        Image,
        Machine,
        Package,
        Port,
        Project,
        Secret,
        Service,
        Source,
        TcpCheck,
        Test,
        Upstream,
        User,
        text,
    )

__all__ = [
    "Builder",
    "Cache",
    "CommandCheck",
    "ConfigFile",
    "Environment",
    "HttpCheck",
    "Image",
    "Machine",
    "Package",
    "Port",
    "Project",
    "Secret",
    "Service",
    "Source",
    "TcpCheck",
    "Test",
    "Upstream",
    "User",
    "text",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        from nixgen import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
