"""Roots and pins: the documents that say which store paths a collection keeps.

A root names the targets of one push, and is the last document that the push writes. A collection
keeps the newest generations of each target (`nixgen.cache.collect.policy`), and every path that a
pin names, with their closures.

Formats: nixgen/cache-root/1 ``{environment, generation, created, project, commit, targets: {attr:
{output: path}}}`` and nixgen/cache-pin/1 ``{name, created, note, paths}``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.keep.documents import CacheFormat, contents
from nixgen.errors import CacheError, UsageError
from nixgen.records.rules import matching
from nixgen.store.path import base_name, path_name

__all__ = [
    "DEFAULT_ENVIRONMENT",
    "PINS",
    "PIN_FORMAT",
    "ROOTS",
    "ROOT_FORMAT",
    "Pin",
    "Root",
    "list_pins",
    "list_roots",
    "new_generation",
    "path_targets",
    "put_pin",
    "record_root",
    "remove_pin",
]

ROOTS = "nixgen/roots/"
PINS = "nixgen/pins/"
DEFAULT_ENVIRONMENT = "default"
_PIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
# Nix ends a package's name, too, before the first dash that no letter follows.
_VERSION = re.compile(r"-[^A-Za-z].*$")


def _seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _sorted(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(paths)))


@frozen(kw_only=True)
class Root:
    """The targets of one push.

    :param environment: of the project, such as ``live``.
    :param generation: an identifier that sorts by time, from `new_generation`.
    :param created: the time of the push.
    :param project: the name of the project.
    :param commit: of the project's sources; None when unknown.
    :param targets: full store paths, by attribute and output.
    """

    environment: str = DEFAULT_ENVIRONMENT
    generation: str
    created: datetime = field(converter=_seconds)
    project: str
    commit: str | None = None
    targets: Mapping[str, Mapping[str, str]]

    @property
    def name(self) -> str:
        """The name of the root's document in the cache."""
        return f"{ROOTS}{quote(self.environment, safe='')}/{self.generation}.json"

    @property
    def paths(self) -> frozenset[str]:
        """The store paths of all targets and outputs."""
        return frozenset(path for outputs in self.targets.values() for path in outputs.values())


@frozen(kw_only=True)
class Pin:
    """Store paths that are kept, with their closures, until the pin is removed.

    :param name: letters, digits and ``._+-``.
    :param created: the time when it was made.
    :param note: the reason, for people.
    :param paths: full store paths.
    :raises UsageError: ``name`` has other characters, or is too long.
    """

    name: Annotated[str, matching(_PIN_NAME, "the name of a pin")]
    created: datetime = field(converter=_seconds)
    note: str = ""
    paths: tuple[str, ...] = field(converter=_sorted)

    def __attrs_post_init__(self) -> None:
        _pin_object(self.name)


ROOT_FORMAT = CacheFormat(schema="nixgen/cache-root/1", shape=Root)
PIN_FORMAT = CacheFormat(schema="nixgen/cache-pin/1", shape=Pin)


def new_generation(now: datetime) -> str:
    """Make an identifier that sorts by time and is unique, such as ``20261123T203000Z-4f1d2c``.

    :param now: the time of the push.
    """
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def path_targets(paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """Make targets of store paths that were pushed without an attribute: ``paths.<package name>``.

    The name comes without its version, so that the next version counts as the next generation of
    the same target.

    :param paths: full store paths.
    """
    targets: dict[str, dict[str, str]] = {}
    for path in sorted(set(paths)):
        name = path_name(path)
        attr = f"paths.{_VERSION.sub('', name) or name}"
        targets.setdefault(attr, {})[base_name(path)] = path
    return targets


def record_root(bucket: Bucket, root: Root) -> None:
    """Write a root, as the last step of a push, while its lease still holds.

    :param bucket: of the cache.
    :param root: the root.
    :raises CacheError: S3 refuses or does not answer.
    """
    body = ROOT_FORMAT.encode(root)
    written = bucket.put(root.name, body, if_absent=True)
    # When the answer to a first attempt was lost, the second finds our own.
    if not written and bucket.read(root.name) != body:
        raise CacheError(
            f"{root.name} in {bucket.location} is another push's",
            hint="run it again; what was stored is not uploaded twice",
        )


def list_roots(bucket: Bucket) -> tuple[Root, ...]:
    """Read every root, the newest first.

    :param bucket: of the cache.
    :raises VerifyError: a root is unreadable, so that nobody knows what it keeps.
    """
    roots = [ROOT_FORMAT.parse(data, source=found.name) for found, data in contents(bucket, ROOTS)]
    return tuple(sorted(roots, key=lambda root: (root.generation, root.environment), reverse=True))


def list_pins(bucket: Bucket) -> tuple[Pin, ...]:
    """Read every pin, in the order of their names.

    :param bucket: of the cache.
    :raises VerifyError: a pin is unreadable, so that nobody knows what it keeps.
    """
    return tuple(
        PIN_FORMAT.parse(data, source=found.name) for found, data in contents(bucket, PINS)
    )


def put_pin(bucket: Bucket, pin: Pin) -> None:
    """Write a pin, in place of an older one of that name.

    :param bucket: of the cache.
    :param pin: the pin. Its paths must be leased meanwhile, or kept already.
    """
    body = PIN_FORMAT.encode(pin)
    bucket.put(_pin_object(pin.name), body)


def remove_pin(bucket: Bucket, name: str) -> bool:
    """Remove a pin.

    :param bucket: of the cache.
    :param name: of the pin.
    :returns: False when there was no such pin.
    """
    key = _pin_object(name)
    if bucket.head(key) is None:
        return False
    bucket.delete([key])
    return True


def _pin_object(name: str) -> str:
    if not _PIN_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a pin",
            hint="use letters, digits and ._+-, such as release-1.0",
        )
    return f"{PINS}{name}.json"
