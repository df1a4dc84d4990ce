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
from nixgen.models.builders import (
    BuilderHost,
    BuilderUser,
    HostKey,
    NixSystem,
    SystemFeature,
)
from nixgen.models.lines import KeyFile, MachinesLine, TargetName

__all__ = ["machine_lines"]


_NOTHING = MachinesLine.constant("-")


def machine_lines(project: Project) -> tuple[MachinesLine, ...]:
    """The lines of the file: for each builder a comment with its name, then the builder itself.

    :param project: Project whose builders are written.
    """
    hash_sign = MachinesLine.constant("#")
    return tuple(
        line
        for builder in project.builders
        for line in (
            MachinesLine.joined(" ", hash_sign, TargetName(builder.name)),
            _machine(builder),
        )
    )


def _machine(builder: Builder) -> MachinesLine:
    key = builder.ssh_key.path if isinstance(builder.ssh_key, Secret) else builder.ssh_key
    return MachinesLine.joined(
        " ",
        _address(builder),
        _words(map(NixSystem, builder.systems)),
        KeyFile(key) if key else _NOTHING,
        MachinesLine.constant(str(builder.max_jobs)),
        MachinesLine.constant(str(builder.speed_factor)),
        # a machine also has each feature that it insists on
        _words(map(SystemFeature, (*builder.supported_features, *builder.mandatory_features))),
        _words(map(SystemFeature, builder.mandatory_features)),
        _host_key(builder.host_key),
    )


def _address(builder: Builder) -> MachinesLine:
    """The address of a builder, `Builder.address`, from words that fit into the line."""
    parts: list[MachinesLine] = [MachinesLine.constant(f"{builder.protocol}://")]
    if builder.user:
        parts += [BuilderUser(builder.user), MachinesLine.constant("@")]
    parts.append(BuilderHost(builder.host))
    if builder.port != 22:
        parts.append(MachinesLine.constant(f":{builder.port}"))
    return MachinesLine.joined("", *parts)


def _host_key(key: str | None) -> MachinesLine:
    if not key:
        return _NOTHING
    # the comment of a key is not part of the key
    words = " ".join(HostKey(key).split(" ")[:2])
    return MachinesLine.constant(base64.b64encode(words.encode()).decode())


def _words(values: Iterable[MachinesLine]) -> MachinesLine:
    return MachinesLine.joined(",", *dict.fromkeys(values)) or _NOTHING
