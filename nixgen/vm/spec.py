"""Reading ``vm.json`` (schema ``nixgen/vm/1``, docs/contracts.md §5): what a test boots and runs."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from attrs import evolve, frozen

from nixgen.errors import EvaluationError, Problem

__all__ = ["SCHEMA", "ClosurePath", "NodeSpec", "TestSpec", "python_name"]

SCHEMA = "nixgen/vm/1"

_T = TypeVar("_T")


@frozen(kw_only=True)
class ClosurePath:
    """One store path that the nodes see, with the hash of its contents."""

    path: str
    nar_hash: str
    nar_size: int
    references: tuple[str, ...] = ()


@frozen(kw_only=True)
class NodeSpec:
    """One machine of a test.

    :param number: position in the sorted names, from 1; the last octet of its addresses.
    :param memory: MiB.
    :param disk_size: MiB of the blank second disk; 0 for none.
    :param addresses: ``(vlan, IPv4)`` pairs in the order of ``vlans``.
    """

    name: str
    number: int
    kernel: Path
    initrd: Path
    toplevel: str
    memory: int = 512
    cores: int = 1
    disk_size: int = 0
    vlans: tuple[int, ...] = ()
    addresses: tuple[tuple[int, str], ...] = ()
    cmdline: str = ""


@frozen(kw_only=True)
class TestSpec:
    """A test: its nodes in name order, its script, and the closure they all share."""

    __test__ = False  # pytest would collect the name

    name: str
    system: str
    script: str
    nodes: tuple[NodeSpec, ...]
    closure: tuple[ClosurePath, ...]
    origin: Path | None = None

    @classmethod
    def from_file(cls, path: Path) -> TestSpec:
        """Read ``vm.json``, or the derivation's output directory that holds it.

        :raises EvaluationError: the file is missing, not JSON, of another schema or inconsistent; the
            details name every fault with its place in the document.
        """
        file = path / "vm.json" if path.is_dir() else path
        try:
            document = json.loads(file.read_bytes())
        except OSError as error:
            raise EvaluationError(
                f"{file} cannot be read: {error.strerror}",
                hint="build the test first: nixgen build tests.NAME",
            ) from error
        except ValueError as error:
            raise EvaluationError(f"{file} is not JSON: {error}", hint=_REGENERATE) from error
        return cls.from_json(document, origin=file)

    @classmethod
    def from_json(cls, document: object, *, origin: Path | None = None) -> TestSpec:
        """Parse the document; errors as for `from_file`."""
        label = str(origin) if origin else "vm.json"
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            found = document.get("schema") if isinstance(document, dict) else None
            raise EvaluationError(
                f"{label} has schema {found!r}, this nixgen reads {SCHEMA!r}", hint=_REGENERATE
            )
        reader = _Reader()
        nodes = reader.each(document, "", "nodes", _node)
        closure = reader.each(document, "", "closure", _closure_path)
        spec = cls(
            name=reader.text(document, "", "name"),
            system=reader.text(document, "", "system"),
            script=reader.text(document, "", "testScript"),
            nodes=_numbered(reader, nodes),
            closure=closure,
            origin=origin,
        )
        if reader.problems:
            raise EvaluationError(
                f"{label} is not a valid {SCHEMA} document",
                hint=_REGENERATE,
                details=[f"{problem.path}: {problem.message}" for problem in reader.problems],
            )
        return spec


_REGENERATE = "it was written by another version of nixgen; run: nixgen generate && nixgen build"


def python_name(name: str) -> str:
    """The name under which a test script sees a node: every character Python refuses becomes ``_``."""
    return re.sub(r"^[^A-Za-z_]|[^A-Za-z0-9_]", "_", name)


def _numbered(reader: _Reader, nodes: tuple[NodeSpec, ...]) -> tuple[NodeSpec, ...]:
    found = sorted(nodes, key=lambda node: node.name)
    if not nodes:
        reader.fault("nodes", "a test needs at least one node")
    seen: dict[str, str] = {}
    for node in found:
        other = seen.setdefault(python_name(node.name), node.name)
        if other != node.name or [each.name for each in found].count(node.name) > 1:
            reader.fault(
                "nodes", f"{other!r} and {node.name!r} are the same name in the test script"
            )
    return tuple(evolve(node, number=number) for number, node in enumerate(found, start=1))


def _node(reader: _Reader, value: Mapping[str, Any], at: str) -> NodeSpec:
    vlans = tuple(reader.list_of(value, at, "vlans", int))
    addresses = value.get("addresses", {})
    pairs = []
    for vlan in vlans:
        if not 1 <= vlan <= 254:
            reader.fault(f"{at}.vlans", f"{vlan} is not between 1 and 254")
        address = addresses.get(str(vlan)) if isinstance(addresses, dict) else None
        try:
            pairs.append((vlan, str(ipaddress.IPv4Address(address))))
        except ValueError:
            reader.fault(f"{at}.addresses", f"{address!r} is no IPv4 address for vlan {vlan}")
    return NodeSpec(
        name=reader.text(value, at, "name"),
        number=0,
        kernel=Path(reader.text(value, at, "kernel")),
        initrd=Path(reader.text(value, at, "initrd")),
        toplevel=reader.text(value, at, "toplevel"),
        memory=reader.number(value, at, "memory", low=64, default=512),
        cores=reader.number(value, at, "cores", low=1, default=1),
        disk_size=reader.number(value, at, "diskSize", low=0, default=0),
        vlans=vlans,
        addresses=tuple(pairs),
        cmdline=reader.text(value, at, "cmdline", default=""),
    )


def _closure_path(reader: _Reader, value: Mapping[str, Any], at: str) -> ClosurePath:
    path = reader.text(value, at, "path")
    if not PurePosixPath(path).is_absolute():
        reader.fault(f"{at}.path", f"{path!r} is not an absolute path")
    return ClosurePath(
        path=path,
        nar_hash=reader.text(value, at, "narHash"),
        nar_size=reader.number(value, at, "narSize", low=0),
        references=tuple(reader.list_of(value, at, "references", str)),
    )


class _Reader:
    """Collects every fault of a document instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def fault(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def text(
        self, value: Mapping[str, Any], at: str, key: str, *, default: str | None = None
    ) -> str:
        found = value.get(key, default)
        if isinstance(found, str):
            return found
        self.fault(_join(at, key), f"expected a string, found {found!r}")
        return ""

    def number(
        self, value: Mapping[str, Any], at: str, key: str, *, low: int, default: int | None = None
    ) -> int:
        found = value.get(key, default)
        if isinstance(found, int) and not isinstance(found, bool) and found >= low:
            return found
        self.fault(_join(at, key), f"expected an integer of at least {low}, found {found!r}")
        return low

    def list_of(self, value: Mapping[str, Any], at: str, key: str, kind: type[_T]) -> list[_T]:
        found = value.get(key, [])
        if isinstance(found, list) and all(type(item) is kind for item in found):
            return found
        self.fault(_join(at, key), f"expected a list of {kind.__name__}, found {found!r}")
        return []

    def each(
        self,
        value: Mapping[str, Any],
        at: str,
        key: str,
        parse: Callable[[_Reader, Mapping[str, Any], str], _T],
    ) -> tuple[_T, ...]:
        found = value.get(key)
        if not isinstance(found, list):
            self.fault(_join(at, key), f"expected a list, found {found!r}")
            return ()
        parsed = []
        for index, item in enumerate(found):
            place = f"{_join(at, key)}[{index}]"
            if isinstance(item, dict):
                parsed.append(parse(self, item, place))
            else:
                self.fault(place, f"expected an object, found {item!r}")
        return tuple(parsed)


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
