"""No text of an image or an application becomes anything else in an image's configuration or in a manifest.

The texts are found by reflection, so a new field takes part by itself. Each text gets a hostile end.
Either the models refuse it, or it must be in what Nix evaluates, byte for byte, at the same place as
a harmless end.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile import CHANGES, MARK, unmarked
from hostile_workloads import (
    ENVIRONMENT,
    accepted_places,
    combined,
    copy_of,
    empty_fields,
    texts_of,
)

from nixgen.models import Service

pytestmark = pytest.mark.real

_SUPPORT = Path(__file__).parent.parent / "support"

_INFRA = """
import sys

sys.path.insert(0, {support!r})
from hostile_workloads import combined

project = combined({accepted!r}, marked={marked!r})
"""

#: Fields whose texts are accepted and are in no image's configuration and in no manifest, each with the reason.
_UNREAD: dict[str, str] = {
    "Hardening.writable": "a manifest has no list of writable folders",
    "HttpCheck.contains": "no probe of a cluster reads a body",
    "Package.main": "Package.program has read it before it changes; the copy is in Text.parts",
    "Secret.file": "is on a machine; a pod gets a Secret of the cluster",
    "User.authorized_keys": "nobody logs in to an image",
    "User.description": "accounts of an image have no comment",
    "User.shell": "accounts of an image have /bin/sh",
}

#: Fields without a text in every copy, each with the reason.
_EMPTY: dict[str, str] = {
    "Environment.options": "are of machines",
    "Package.debian": "names packages of the lock",
    "Package.nixpkgs": "is of the other base",
    "Package.with_packages": "names packages of the lock",
    "Source.exclude": "names files of the project",
    "Source.include": "names files of the project",
}

# The parts of image.json that are text: the description, and the accounts that go into the image's root.
_EXPRESSION = """
  let
    project = import ./generated { environment = "%s"; };
    parts = image: builtins.filter builtins.isAttrs image.exportReferencesGraph.closure;
  in
  {
    images = builtins.mapAttrs (_: image: {
      description = (builtins.elemAt (parts image) 0).text;
      inherit (builtins.elemAt (parts image) 1) passwd group;
    }) project.images;
    applications = builtins.mapAttrs (_: application: application.document) project.kubernetes;
  }
"""


def _evaluated(folder: Path, nixgen: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Nix makes of the project of a folder, and what PyYAML reads of its manifests."""
    nixgen("k8s", "render", "--env", ENVIRONMENT, "--out", folder / "manifests")
    manifests = {
        file.stem: list(yaml.safe_load_all(file.read_bytes().decode()))
        for file in (folder / "manifests").iterdir()
    }
    argv = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", _EXPRESSION % ENVIRONMENT]
    done = subprocess.run(argv, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    values = json.loads(re.sub(rb"/nix/store/[a-z0-9]{32}-", b"/nix/store/", done.stdout))
    return values, manifests


def _image(value: dict[str, str]) -> dict[str, Any]:
    """An image as an engine reads it, with the lines of its accounts."""
    accounts = {name: value[name].split("\n") for name in ("passwd", "group")}
    return {
        **json.loads(value["description"]),
        **{name: [line.split(":") for line in lines] for name, lines in accounts.items()},
    }


def _expanded(text: str) -> str:
    """Text of a command or variable after Kubernetes has replaced $(NAME) and $$ in it."""

    def replace(found: re.Match[str]) -> str:
        assert found[0] == "$$", f"{text!r} refers to a variable"
        return "$"

    return re.sub(r"\$\$|\$\([^)]*\)", replace, text)


def _manifest(value: Any) -> Any:
    """A manifest as a container gets it."""
    if isinstance(value, list):
        return [_manifest(each) for each in value]
    if not isinstance(value, dict):
        return value
    read = {key: _manifest(each) for key, each in value.items()}
    for key in ("command", "args"):
        if key in read:
            read[key] = [_expanded(word) for word in read[key]]
    if "env" in read:
        read["env"] = [{**each, "value": _expanded(each["value"])} for each in read["env"]]
    return read


def _wanted(value: Any, number: int) -> Any:
    """A value with the hostile text of a copy in the place of each mark."""
    if isinstance(value, list):
        return [_wanted(each, number) for each in value]
    if isinstance(value, dict):
        return {_wanted(key, number): _wanted(each, number) for key, each in value.items()}
    if isinstance(value, str):
        return unmarked(value, lambda _: "".join(CHANGES[number]))
    return value


def test_each_field_of_the_copies_has_a_value() -> None:
    assert empty_fields(copy_of(0)) == set(_EMPTY)


def test_hostile_text_of_images_and_applications_comes_out_as_it_was(
    tmp_path: Path, command_line: Any, record_property: Any
) -> None:
    answers = [accepted_places(number) for number in range(len(CHANGES))]
    accepted = [numbers for numbers, _ in answers]
    assert set[str]().union(*(own for _, own in answers)) == {"Hardening.writable"}
    results = {}
    for marked in (True, False):
        folder = tmp_path / str(marked)
        (folder / "site").mkdir(parents=True)
        (folder / "module.nix").write_text("{ }\n")
        infra = _INFRA.format(support=str(_SUPPORT), accepted=accepted, marked=marked)
        (folder / "infra.py").write_text(infra)
        nixgen = command_line(folder=folder)
        if marked:
            nixgen("inputs", "update", "debian")
            lock = (folder / "debian.lock.json").read_bytes()
        else:
            (folder / "debian.lock.json").write_bytes(lock)
        results[marked] = _evaluated(folder, nixgen)
    (expected, _), (found, manifests) = results[True], results[False]
    names = {place.number: place.name for place in texts_of(copy_of(0))}
    tame, wild = combined(accepted, marked=True), combined(accepted, marked=False)
    seen: dict[str, set[str]] = {names[each]: set() for numbers in accepted for each in numbers}

    def compare(reader: str, number: int, before: Any, after: Any) -> None:
        assert after == _wanted(before, number), f"{reader} of copy {number}, {CHANGES[number]}"
        for mark in MARK.findall(str(before)):
            seen[names[int(mark)]].add(reader)

    for number, before, after in _pairs(tame.images, wild.images):
        config = _image(found["images"][after.name])
        compare("image", number, _image(expected["images"][before.name]), config)
        assert config["config"]["Labels"] == after.labels
        assert _plain_variables(after.service) <= set(config["config"]["Env"])
    for number, before, after in _pairs(tame.applications, wild.applications):
        document = found["applications"][after.name]
        compare(
            "manifest",
            number,
            _manifest(expected["applications"][before.name]),
            _manifest(document),
        )
        assert _without_hashes(manifests[after.name]) == document["resources"]["items"]
    assert {name for name, readers in seen.items() if not readers} == set(_UNREAD)
    record_property("readers", json.dumps({name: sorted(each) for name, each in seen.items()}))


def _pairs(tame: Sequence[Any], wild: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    """The number of the copy, a model with marks and its twin with hostile texts."""
    each_copy = len(wild) // len(CHANGES)
    for index, (before, after) in enumerate(zip(tame, wild, strict=True)):
        yield index // each_copy, before, after


def _plain_variables(service: Service | None) -> set[str]:
    """The variables of a service without store paths in their values, as NAME=VALUE."""
    variables = service.environment if service else {}
    return {f"{name}={value}" for name, value in variables.items() if isinstance(value, str)}


def _without_hashes(value: Any) -> Any:
    return json.loads(re.sub(r"/nix/store/[a-z0-9]{32}-", "/nix/store/", json.dumps(value)))
