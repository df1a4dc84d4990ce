"""Builders in the format of Nix's machines file, for the setting ``builders`` and
``/etc/nix/machines``.

A line holds these words (Nix manual, “Remote Builds”): store address, systems, private key, jobs,
speed factor, supported features, mandatory features, public host key in base64. Spaces separate the
words, ``-`` is an empty word, and ``#`` begins a comment. ``;`` separates machines even inside a
comment. The checks of `Builder` keep all of these out of the words.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from nixgen.models import Builder, Project, Secret

__all__ = ["machine_lines"]


def machine_lines(project: Project) -> tuple[str, ...]:
    """The lines of the file: for each builder a comment with its name, then the builder itself.

    :param project: Project whose builders are written.
    """
    return tuple(
        line for builder in project.builders for line in (f"# {builder.name}", _machine(builder))
    )


def _machine(builder: Builder) -> str:
    key = builder.ssh_key.path if isinstance(builder.ssh_key, Secret) else builder.ssh_key
    # the comment of a key is not part of the key
    host_key = " ".join(builder.host_key.split(" ")[:2]) if builder.host_key else ""
    return " ".join(
        (
            builder.address,
            _words(builder.systems),
            key or "-",
            str(builder.max_jobs),
            str(builder.speed_factor),
            # a machine also has each feature that it insists on
            _words((*builder.supported_features, *builder.mandatory_features)),
            _words(builder.mandatory_features),
            base64.b64encode(host_key.encode()).decode() or "-",
        )
    )


def _words(values: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(values)) or "-"
