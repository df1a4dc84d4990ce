"""The values a platform is described with: frozen, free of I/O and of Nix text.

References between them are objects. Text that mentions a store path is built with `text` or with ``/`` on the thing
itself, so plain data can never become Nix code::

    nginx = Package("nginx")
    conf = ConfigFile("nginx.conf", text("root ${site};", site=Source("site")))
    Service("proxy", command=(nginx / "bin/nginx", "-c", conf), ports=[Port(80)])

Constructors accept what they are given and remember the user's file and line; `check` then reports every problem of a
project at once.
"""

from nixgen.models._core import Model, Origin
from nixgen.models._text import Interpolated, Text, text
from nixgen.models.builders import Builder
from nixgen.models.check import check, packages_of, require_valid, walk
from nixgen.models.files import ConfigFile, Package, Secret, Source, StoreReference
from nixgen.models.platform import Cache, Environment, Image, Machine, Project, Test, Upstream
from nixgen.models.service import (
    CommandCheck,
    HealthCheck,
    HttpCheck,
    Port,
    Service,
    TcpCheck,
    User,
)

__all__ = [
    "Builder",
    "Cache",
    "CommandCheck",
    "ConfigFile",
    "Environment",
    "HealthCheck",
    "HttpCheck",
    "Image",
    "Interpolated",
    "Machine",
    "Model",
    "Origin",
    "Package",
    "Port",
    "Project",
    "Secret",
    "Service",
    "Source",
    "StoreReference",
    "TcpCheck",
    "Test",
    "Text",
    "Upstream",
    "User",
    "check",
    "packages_of",
    "require_valid",
    "text",
    "walk",
]
