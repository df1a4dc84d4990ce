"""Translate the older form of machine.json, which the Nix expressions of NixOps deployments read.

::

    { "masters": { "aws": { "instanceType": …, "securityGroupIds": [ … ] },
                   "configs": [ { "id": 0, "name": "master-0", "aws-subnetId": …, "pods-cidr": … } ] },
      "workers": { "aws": { …, "storageSize": 20 }, "configs": [ … ] },
      "membership": { "master-0": [ "worker-0" ] } }

The region was an argument of those expressions, by default us-east-1. Here it may be a member of
the document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nixgen.documents.jsontext import JsonPath, JsonText

__all__ = ["is_older", "translated"]

_KINDS = ("masters", "workers")
_REGION = "us-east-1"
#: member of ``aws`` → member of each machine
_OF_ROLE = {"instanceType": "instanceType", "securityGroupIds": "securityGroups"}
#: member of ``configs[]`` → member of the machine
_OF_MACHINE = {"aws-subnetId": "subnet", "pods-cidr": "podNetwork"}
#: The volume that those expressions made from ``storageSize``.
_VOLUME = {
    "device": "/dev/xvdf",
    "type": "gp2",
    "mountPoint": "/data",
    "fsType": "xfs",
    "encrypted": False,
    "deleteOnTermination": True,
}


def is_older(document: Any) -> bool:
    """Whether a document has the older form.

    :param document: as `json.loads` returns it.
    """
    if not isinstance(document, dict) or "schema" in document:
        return False
    roles = map(document.get, _KINDS)
    return any(isinstance(role, dict) and "configs" in role for role in roles)


def translated(document: Mapping[str, Any]) -> tuple[JsonText, Mapping[JsonPath, JsonPath]]:
    """Translate a document to the form of ``nixgen/machine/1``, without checking it.

    :param document: in the older form.
    :return: the new text, and the path in it → the path in the older form.
    """
    places: dict[JsonPath, JsonPath] = {}
    # unknown members stay, so that the schema names them
    rest = {name: value for name, value in document.items() if name not in _KINDS}
    newer: dict[str, Any] = {"schema": "nixgen/machine/1", "region": _REGION, "masters": [], **rest}
    for kind in _KINDS:
        if kind in document:
            places[kind,] = (kind, "configs")
            newer[kind] = _machines(kind, document[kind], places)
    return JsonText.parse(json.dumps(newer)), places


def _machines(kind: str, role: Any, places: dict[JsonPath, JsonPath]) -> Any:
    if not isinstance(role, dict) or not isinstance(role.get("configs"), list):
        return role
    aws = role.get("aws", {})
    return [
        _machine((kind, index), config, aws if isinstance(aws, dict) else {}, places)
        for index, config in enumerate(role["configs"])
    ]


def _machine(
    seat: tuple[str, int], config: Any, aws: Mapping[str, Any], places: dict[JsonPath, JsonPath]
) -> Any:
    if not isinstance(config, dict):
        return config
    kind, index = seat
    machine: dict[str, Any] = {}
    for old, value in aws.items():
        if old == "storageSize":
            machine["storage"] = [{**_VOLUME, "size": value}]
            places[*seat, "storage"] = (kind, "aws", old)
            places[*seat, "storage", 0, "size"] = (kind, "aws", old)
        else:
            new = _OF_ROLE.get(old, old)
            machine[new] = value
            places[*seat, new] = (kind, "aws", old)
    for old, value in config.items():
        new = _OF_MACHINE.get(str(old), str(old))
        machine[new] = value
        places[*seat, new] = (kind, "configs", index, old)
    return machine
