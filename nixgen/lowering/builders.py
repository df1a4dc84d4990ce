"""Builders as Nix's machines file: what the setting ``builders`` and ``/etc/nix/machines`` hold.

Format (Nix manual, “Remote Builds”): store address, systems, private key, jobs, speed factor, supported features, mandatory
features, public host key in base64; words are separated by spaces, ``-`` is an empty one, ``#`` begins a comment. ``;``
separates machines even inside a comment. The checks of `Builder` keep all of these out of the words.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from nixgen.models import Builder, Project, Secret

__all__ = ["machine_lines"]


def machine_lines(project: Project) -> tuple[str, ...]:
    """For every builder a comment that is its name, then its line."""
    return tuple(
        line for builder in project.builders for line in (f"# {builder.name}", _machine(builder))
    )


def _machine(builder: Builder) -> str:
    key = builder.ssh_key.path if isinstance(builder.ssh_key, Secret) else builder.ssh_key
    # the comment of a key is no part of it
    host_key = " ".join(builder.host_key.split(" ")[:2]) if builder.host_key else ""
    return " ".join(
        (
            builder.address,
            _words(builder.systems),
            key or "-",
            str(builder.max_jobs),
            str(builder.speed_factor),
            # what a machine insists on, it has
            _words((*builder.supported_features, *builder.mandatory_features)),
            _words(builder.mandatory_features),
            base64.b64encode(host_key.encode()).decode() or "-",
        )
    )


def _words(values: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(values)) or "-"
