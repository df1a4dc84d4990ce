"""vm.json (schema ``nixgen/vm/1``, docs/contracts.md §5): the machines and the script of a test."""

from __future__ import annotations

import ipaddress
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from attrs import evolve, field, frozen

from nixgen.errors import EvaluationError
from nixgen.records.format import Format
from nixgen.records.rules import ABSENT, Rule, Text, at_least, between, matching, named

__all__ = ["ClosurePath", "NodeSpec", "SecretSpec", "TestSpec", "python_name"]


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


@frozen(kw_only=True)
class ClosurePath:
    """One store path that the nodes see, with the hash of its contents.

    :param path: ``/nix/store/<digest>-<name>``.
    :param nar_hash: as Nix wrote it.
    :param nar_size: bytes.
    :param references: store paths that it names.
    """

    path: Annotated[str, matching(r"/[^\0]*", "an absolute path")]
    nar_hash: Text
    nar_size: Annotated[int, at_least(0, "a size in bytes")]
    references: tuple[str, ...] = ()


@frozen(kw_only=True)
class SecretSpec:
    """A secret of a node, without its value.

    :param name: of the secret.
    :param file: absolute path in the node.
    :param given: True for a value that the user gives to the run, False for one that the run makes.
    :param length: characters of a value that the run makes.
    :param alphabet: characters to choose from.
    """

    name: Text
    file: Annotated[str, matching(r"/[^\0]*", "an absolute path")]
    given: bool = False
    length: Annotated[int, at_least(1, "a number of characters")] = 32
    alphabet: Text = string.ascii_letters + string.digits


@frozen(kw_only=True)
class NodeSpec:
    """One machine of a test.

    :param name: in the test's model; `python_name` is its name in the script.
    :param number: position in the sorted names, from 1; the last octet of its addresses.
    :param kernel: file that QEMU boots.
    :param initrd: file that QEMU gives to the kernel.
    :param toplevel: store path of the machine's system.
    :param memory: MiB.
    :param cores: virtual processors.
    :param disk_size: MiB of the blank second disk; 0 for none.
    :param vlans: one network card for each, in this order.
    :param addresses: IPv4 address by vlan.
    :param cmdline: kernel command line, before what the runner adds.
    :param secrets: files that the node gets at boot; see `nixgen.vm.run.secrets`.
    """

    name: Text
    number: int = field(default=0, metadata=ABSENT)
    kernel: Path
    initrd: Path
    toplevel: Text
    memory: Annotated[int, at_least(64, "a number of MiB")] = 512
    cores: Annotated[int, at_least(1)] = 1
    disk_size: Annotated[int, at_least(0, "a number of MiB")] = 0
    vlans: tuple[Annotated[int, between(1, 254)], ...] = ()
    addresses: Mapping[str, Annotated[str, Rule(_is_ipv4, "an IPv4 address")]] = field(
        factory=dict, hash=False
    )
    cmdline: str = ""
    secrets: tuple[SecretSpec, ...] = ()


@frozen(kw_only=True)
class TestSpec:
    """A test: its nodes, its script, and the closure that all nodes share.

    :param name: of the test in the project.
    :param system: Nix's name of the nodes' platform, such as ``x86_64-linux``.
    :param script: Python; see `nixgen.vm.interface.script`.
    :param nodes: sorted by name.
    :param closure: every store path that a node may read.
    :param origin: the file it was read from.
    """

    __test__ = False  # pytest would collect the name

    name: Text
    system: Text
    script: str = field(metadata=named("testScript"))
    nodes: tuple[NodeSpec, ...]
    closure: tuple[ClosurePath, ...]
    origin: Path | None = field(default=None, metadata=ABSENT)

    @classmethod
    def from_file(cls, path: Path) -> TestSpec:
        """Read ``vm.json``.

        :param path: the file, or the derivation's output directory that holds it.
        :raises EvaluationError: the file is missing, not JSON, of another schema or inconsistent;
            names every fault with its place in the document.
        """
        file = path / "vm.json" if path.is_dir() else path
        return _numbered(evolve(_VM.read(file), origin=file))

    @classmethod
    def from_json(cls, document: object, *, origin: Path | None = None) -> TestSpec:
        """Read the document; errors as for `from_file`.

        :param document: as `json.loads` returns it.
        :param origin: the file it comes from, for errors.
        """
        spec = _VM.structure(document, source=str(origin or "vm.json"))
        return _numbered(evolve(spec, origin=origin))


def python_name(name: str) -> str:
    """The name of a node in a test script: each character that Python refuses becomes ``_``.

    :param name: of the node in the model.
    """
    return re.sub(r"^[^A-Za-z_]|[^A-Za-z0-9_]", "_", name)


def _numbered(spec: TestSpec) -> TestSpec:
    nodes = sorted(spec.nodes, key=lambda node: node.name)
    numbered = (evolve(node, number=number) for number, node in enumerate(nodes, start=1))
    return evolve(spec, nodes=tuple(numbered))


def _check(spec: TestSpec) -> Iterator[tuple[str, str]]:
    """The faults of nodes together."""
    if not spec.nodes:
        yield "$.nodes", "a test needs at least one node"
    for name, count in Counter(python_name(node.name) for node in spec.nodes).items():
        if count > 1:
            same = " and ".join(
                repr(node.name) for node in spec.nodes if python_name(node.name) == name
            )
            yield "$.nodes", f"{same} are the same name in the test script: {name}"
    for index, node in enumerate(spec.nodes):
        for vlan in node.vlans:
            if str(vlan) not in node.addresses:
                yield f"$.nodes[{index}].addresses", f"has no address for vlan {vlan}"


_VM = Format(
    schema="nixgen/vm/1",
    shape=TestSpec,
    error=EvaluationError,
    hint="it was written by another version of nixgen; run: nixgen generate && nixgen build",
    missing_hint="build the test first: nixgen build tests.NAME",
    check=_check,
    ignore_unknown=True,
)
