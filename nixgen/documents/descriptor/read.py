"""Read machine.json into `Machine` and `Cluster`. Each problem of the file has its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from attrs import frozen

from nixgen.documents.descriptor.older import is_older, translated
from nixgen.documents.descriptor.places import json_path, member_name
from nixgen.documents.jsontext import JsonPath, JsonText, path_text
from nixgen.documents.schema import faults
from nixgen.errors import DescriptorError, Problem
from nixgen.models import (
    Cluster,
    Ec2,
    Ingress,
    Machine,
    Project,
    SecurityGroup,
    Subnet,
    Volume,
    caller,
    check,
)
from nixgen.models.checks import repeated

__all__ = ["SCHEMA", "Descriptor", "read_descriptor"]

SCHEMA = "nixgen/machine/1"
#: The place, the message, the hint.
_Fault = tuple[JsonPath, str, str | None]


class Descriptor(NamedTuple):
    """The content of a descriptor.

    :param machines: Machines of all clusters; masters come first.
    :param clusters: Clusters of these machines, each named after its master.
    """

    machines: tuple[Machine, ...]
    clusters: tuple[Cluster, ...]


def read_descriptor(
    path: str | Path,
    *,
    masters: Mapping[str, Any] | None = None,
    workers: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> Descriptor:
    """Read the machines and clusters of a descriptor, a machine.json file::

        machines, clusters = read_descriptor("machine.json")

    :param path: Path of the file, relative to ``folder``.
    :param masters: Further fields for the `Machine` of each master, such as ``services``. None (the
        default) adds none.
    :param workers: Further fields for the `Machine` of each worker. None (the default) adds none.
    :param folder: Folder of ``path``. None (the default) means the folder of the file that calls
        this function, such as infra.py.
    :raises DescriptorError: the file is missing or wrong; every problem has its JSON path and line.
    """
    if folder is None:
        origin = caller()
        folder = Path(origin.file).parent if origin else Path()
    source = _Source.read(str(path), folder)
    document = source.text.document
    wrong: list[_Fault] = [(*fault, None) for fault in faults("machine-1", source.text)]
    wrong = wrong or list(_contradictions(document))
    if not wrong:
        machines = _machines(document, masters or {}, workers or {})
        read = Descriptor(tuple(machines.values()), tuple(_clusters(document, machines)))
        wrong = [
            (json_path(document, problem.path), problem.message, problem.hint)
            for problem in check(
                Project("descriptor", machines=read.machines, clusters=read.clusters)
            )
        ]
        if not wrong:
            return read
    # A value of the older form may count for several machines, and its fault is reported once.
    placed = tuple(dict.fromkeys(map(source.placed, wrong)))
    raise DescriptorError(
        f"{source.file} has {len(placed)} problem{'' if len(placed) == 1 else 's'}",
        problems=[source.problem(*fault) for fault in placed],
    )


@frozen
class _Source:
    """The text of a descriptor, in either form.

    :param file: its name in messages.
    :param text: the text in the form of ``nixgen/machine/1``, perhaps a translation.
    :param written: the text of the file.
    :param places: path in ``text`` → path in ``written``, for a translation.
    """

    file: str
    text: JsonText
    written: JsonText
    places: Mapping[JsonPath, JsonPath]

    @classmethod
    def read(cls, file: str, folder: Path) -> _Source:
        written = JsonText.read(
            folder / file,
            file,
            DescriptorError,
            missing=f"it was looked for in {folder}",
            malformed=None,
        )
        document = written.document
        if is_older(document):
            newer, places = translated(document)
            return cls(file, newer, written, places)
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise DescriptorError(
                f"{file} has the schema {schema!r}; this nixgen reads {SCHEMA!r}",
                where=file,
                hint=f'give it the member "schema": "{SCHEMA}"; without one it must be of the older form, with masters.configs',
            )
        return cls(file, written, written, {})

    def placed(self, fault: _Fault) -> _Fault:
        """The fault with its place in the text of the file."""
        path, message, hint = fault
        known = path
        while known and known not in self.places:
            known = known[:-1]
        return (*self.places[known], *path[len(known) :]) if known else path, message, hint

    def problem(self, path: JsonPath, message: str, hint: str | None) -> Problem:
        where = f"{self.file}:{self.written.line(path)}"
        return Problem(path_text(path) or "the document", message, where=where, hint=hint)


def _contradictions(document: Mapping[str, Any]) -> Iterator[_Fault]:
    """The faults that the schema cannot find: names that no machine has, or that two have."""
    for kind in ("subnets", "securityGroups"):
        for index, first, value in repeated(entry["id"] for entry in document.get(kind, ())):
            message = f"{value!r} is also the id of {kind}[{first}]"
            yield (kind, index, "id"), message, "describe it once"
    owners: dict[str, JsonPath] = {}
    for kind, index, machine in _seats(document):
        owner = owners.setdefault(machine["name"], (kind, index))
        if owner != (kind, index):
            message = f"{machine['name']!r} is also the name of {path_text(owner)}"
            yield (kind, index, "name"), message, "give each machine its own name"
        if kind == "workers" and "podNetwork" in machine:
            yield (kind, index, "podNetwork"), "belongs to the master", "move it to the master"
    yield from _membership(document, owners)


def _membership(document: Mapping[str, Any], owners: Mapping[str, JsonPath]) -> Iterator[_Fault]:
    joined: dict[str, str] = {}
    for master, workers in document.get("membership", {}).items():
        yield from _named(owners, master, "masters", ("membership", master))
        for index, worker in enumerate(workers):
            place = ("membership", master, index)
            yield from _named(owners, worker, "workers", place)
            if worker in joined:
                message = f"{worker!r} has joined {joined[worker]!r} already"
                yield place, message, "a worker has one master"
            joined.setdefault(worker, master)
    for kind, index, machine in _seats(document):
        if kind == "workers" and machine["name"] not in joined:
            message = f"the worker {machine['name']!r} has joined no master"
            yield (kind, index), message, "add it to a list in membership"


def _named(
    owners: Mapping[str, JsonPath], name: str, kind: str, place: JsonPath
) -> Iterator[_Fault]:
    owner = owners.get(name)
    if owner is None:
        yield place, f"there is no machine {name!r}", f"add it to {kind}, or correct the name"
    elif owner[0] != kind:
        yield place, f"{name!r} is one of the {owner[0]}, not of the {kind}", None


def _seats(document: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for kind in ("masters", "workers"):
        for index, machine in enumerate(document.get(kind, ())):
            yield kind, index, machine


def _machines(
    document: Mapping[str, Any], masters: Mapping[str, Any], workers: Mapping[str, Any]
) -> dict[str, Machine]:
    subnets = {
        entry["id"]: Subnet(entry["id"], **_given(entry, "cidr", "zone"))
        for entry in document.get("subnets", ())
    }
    groups = {entry["id"]: _group(entry) for entry in document.get("securityGroups", ())}
    return {
        entry["name"]: Machine(
            entry["name"],
            **(masters if kind == "masters" else workers),
            **_given(entry, "system"),
            ec2=_ec2(entry, document["region"], subnets, groups),
        )
        for kind, _, entry in _seats(document)
    }


def _clusters(document: Mapping[str, Any], machines: Mapping[str, Machine]) -> Iterator[Cluster]:
    ids = {entry["name"]: entry["id"] for _, _, entry in _seats(document)}
    workers = [entry["name"] for entry in document.get("workers", ())]
    for master in document.get("masters", ()):
        joined = set(document.get("membership", {}).get(master["name"], ()))
        names = [name for name in workers if name in joined]
        yield Cluster(
            master["name"],
            master=machines[master["name"]],
            workers=[machines[name] for name in names],
            ids={name: ids[name] for name in (master["name"], *names)},
            **_given(master, "pod_network"),
        )


def _given(entry: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    """The values of those fields of a model that the document has."""
    members = {field: member_name(field) for field in fields}
    return {field: entry[member] for field, member in members.items() if member in entry}


def _group(entry: Mapping[str, Any]) -> SecurityGroup:
    return SecurityGroup(
        entry["id"],
        ingress=[
            Ingress(rule["from"], **_given(rule, "last", "protocol", "source"))
            for rule in entry.get("ingress", ())
        ],
    )


def _ec2(
    entry: Mapping[str, Any],
    region: str,
    subnets: dict[str, Subnet],
    groups: dict[str, SecurityGroup],
) -> Ec2:
    """The EC2 instance of a machine.

    :param subnets: id → subnet. A subnet that the document only mentions is added.
    :param groups: id → security group, likewise.
    """
    return Ec2(
        entry["instanceType"],
        region=region,
        subnet=subnets.setdefault(entry["subnet"], Subnet(entry["subnet"])),
        security_groups=[
            groups.setdefault(name, SecurityGroup(name)) for name in entry.get("securityGroups", ())
        ],
        storage=[_volume(volume) for volume in entry.get("storage", ())],
        **_given(entry, "address", "public", "image", "key_pair", "root_size"),
    )


def _volume(entry: Mapping[str, Any]) -> Volume:
    return Volume(
        entry["device"],
        **_given(
            entry, "size", "type", "mount_point", "fs_type", "encrypted", "delete_on_termination"
        ),
    )
