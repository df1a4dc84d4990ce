"""flake-inputs.json: every way it can be wrong is named, with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nixgen.documents.inputs import Inputs
from nixgen.errors import LockError
from nixgen.render.resources import default_inputs

REV = "917fec990948658ef1ccd07cef2a1ef060786846"
HASH = "sha256-au/m3+EuBLoSzWUCb64a/MZq6QUtOV8oC0D9tY2scPQ="
#: one of each type, with every field
SOUND: dict[str, dict[str, Any]] = {
    "debian": {
        "type": "debian",
        "suite": "bookworm",
        "architectures": ["amd64"],
        "lock": "debian.lock.json",
    },
    "git": {
        "type": "git",
        "url": "ssh://git@example.org/a.git",
        "ref": "refs/heads/main",
        "rev": REV,
        "narHash": HASH,
        "lastModified": 0,
    },
    "github": {
        "type": "github",
        "host": "github.example.org",
        "owner": "NixOS",
        "repo": "nixpkgs",
        "ref": "nixos-25.11",
        "rev": REV,
        "narHash": HASH,
        "lastModified": 1772736753,
    },
    "gitlab": {
        "type": "gitlab",
        "host": "gitlab.example.org",
        "owner": "group/subgroup",
        "repo": "a",
        "ref": "v1",
        "rev": REV,
        "narHash": HASH,
        "lastModified": 1,
    },
    "path": {"type": "path", "path": "../vendor/a b", "narHash": HASH, "lastModified": 1},
    "tarball": {
        "type": "tarball",
        "url": "https://example.org/a.tar.gz?x=1",
        "narHash": HASH,
        "lastModified": 1,
    },
}


def write(folder: Path, inputs: object, **more: object) -> Path:
    document = {"schema": "nixgen/inputs/1", "inputs": inputs, **more}
    path = folder / "flake-inputs.json"
    path.write_text(json.dumps(document, indent=2))
    return path


def error_of(path: Path, **options: bool) -> LockError:
    with pytest.raises(LockError) as caught:
        Inputs.read(path, **options)
    assert caught.value.exit_status == 2
    return caught.value


def messages(error: LockError) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in error.problems]


def test_the_shipped_pins_have_no_faults() -> None:
    inputs = Inputs.read(default_inputs())
    assert inputs.debian.origin == "bookworm"
    assert inputs.pins["nixpkgs"].fields["rev"] == REV
    assert [*inputs.trees] == ["kubenix", "nixpkgs", "systems"]


@pytest.mark.parametrize("kind", SOUND)
def test_every_type_with_every_field_has_no_faults(tmp_path: Path, kind: str) -> None:
    pins = Inputs.read(write(tmp_path, {"x": SOUND[kind]})).pins
    assert pins["x"].type == kind
    assert {"type": kind, **pins["x"].fields} == SOUND[kind]
    assert pins["x"].where == "flake-inputs.json:4"


@pytest.mark.parametrize(
    ("kind", "origin"),
    [
        ("github", "https://github.example.org/NixOS/nixpkgs"),
        ("gitlab", "https://gitlab.example.org/group/subgroup/a"),
        ("git", "ssh://git@example.org/a.git"),
        ("tarball", "https://example.org/a.tar.gz?x=1"),
        ("path", "../vendor/a b"),
        ("debian", "bookworm"),
    ],
)
def test_a_pin_has_its_origin(tmp_path: Path, kind: str, origin: str) -> None:
    assert Inputs.read(write(tmp_path, {"x": SOUND[kind]})).pins["x"].origin == origin


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "schema None"),
        ('{"schema": "nixgen/inputs/9"}', "'nixgen/inputs/9'"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "flake-inputs.json").write_text(text)
    assert message in error_of(tmp_path / "flake-inputs.json").message


def test_the_error_of_a_file_that_is_not_json_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "flake-inputs.json"
    path.write_text('{\n  "schema": "nixgen/inputs/1",\n  "inputs": { "a" }\n}\n')
    assert error_of(path).where == "flake-inputs.json:3"
    path.write_bytes(b"\xff")
    assert "is not UTF-8" in error_of(path).message
    path.unlink()
    path.mkdir()
    assert "cannot be read" in error_of(path).message


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("github", {"rev": "main"}, "inputs.x.rev: must be a commit of 40 hexadecimal digits"),
        ("github", {"rev": REV.upper()}, "inputs.x.rev: must be a commit"),
        ("github", {"narHash": "sha256-short"}, "inputs.x.narHash: must be sha256-…"),
        ("github", {"narHash": HASH.replace("=", "")}, "inputs.x.narHash: must be sha256-…"),
        ("github", {"owner": "a/b"}, "inputs.x.owner: must be the name of an owner"),
        ("github", {"host": "https://x"}, "inputs.x.host: must be a host name"),
        ("github", {"host": "x.org:80"}, "inputs.x.host: must be a host name without a port"),
        ("github", {"ref": "a..b"}, "inputs.x.ref: must be a branch or tag"),
        ("github", {"ref": "-x"}, "inputs.x.ref: must be a branch or tag"),
        ("github", {"lastModified": True}, "inputs.x.lastModified: must be seconds since 1970"),
        ("github", {"lastModified": -1}, "inputs.x.lastModified: must be seconds since 1970"),
        ("github", {"narhash": HASH}, "inputs.x.narhash: is not known; did you mean narHash?"),
        ("github", {"url": "x"}, "inputs.x.url: is not known; there are host, lastModified"),
        ("gitlab", {"owner": "/a"}, "inputs.x.owner: must be the name of a group"),
        ("git", {"url": "git@example.org:a"}, "inputs.x.url: must be a URL"),
        ("git", {"url": "https://example.org/a?ref=b"}, "inputs.x.url: must be a URL"),
        ("tarball", {"url": "ftp://example.org/a"}, "inputs.x.url: must be a URL"),
        ("tarball", {"rev": REV}, "inputs.x.rev: is not known"),
        ("path", {"path": ""}, "inputs.x.path: must be the path of a folder"),
        ("path", {"path": "~/x"}, "inputs.x.path: must be the path of a folder"),
        ("debian", {"suite": "12 (bookworm)"}, "inputs.x.suite: must be the code name"),
        ("debian", {"architectures": []}, "inputs.x.architectures: must be a list of names"),
        ("debian", {"architectures": "amd64"}, "inputs.x.architectures: must be a list"),
        ("debian", {"architectures": [1]}, "inputs.x.architectures[0]: must be a name such as"),
        ("debian", {"lock": "other.json"}, 'inputs.x.lock: must be "debian.lock.json", not'),
        ("path", {"type": "svn"}, "inputs.x.type: must be one of debian, git, github, gitlab"),
    ],
)
def test_the_error_names_a_wrong_field(
    tmp_path: Path, kind: str, change: dict[str, Any], says: str
) -> None:
    error = error_of(write(tmp_path, {"x": {**SOUND[kind], **change}}))
    assert any(line.startswith(says) for line in messages(error)), messages(error)
    assert error.message.startswith(f"flake-inputs.json has {len(error.problems)} problem")


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, entry in SOUND.items() for field in entry if field != "type"],
)
def test_a_missing_field_is_a_fault(tmp_path: Path, kind: str, field: str) -> None:
    optional = {"host", "ref", "lastModified"} | ({"narHash"} if kind == "path" else set())
    entry = {name: value for name, value in SOUND[kind].items() if name != field}
    path = write(tmp_path, {"x": entry})
    if field in optional:
        assert Inputs.read(path).pins["x"].is_locked
        return
    error = error_of(path)
    assert messages(error) == [f"inputs.x.{field}: is missing"]
    if field in {"rev", "narHash"}:
        assert error.problems[0].hint == "fill it in with: nixgen inputs update x"
        assert not Inputs.read(path, unlocked=True).pins["x"].is_locked
    else:
        error_of(path, unlocked=True)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (3, "inputs: must be an object of pins by name, not 3"),
        ({"a": 1}, "inputs.a: must be an object with a type, not 1"),
        ({"a": {}}, "inputs.a.type: is missing"),
        ({"self": SOUND["path"]}, "inputs.self: must be a name of letters"),
        ({"1a": SOUND["path"]}, 'inputs["1a"]: must be a name of letters'),
    ],
)
def test_the_error_names_a_wrong_entry(tmp_path: Path, inputs: object, says: str) -> None:
    (problem,) = messages(error_of(write(tmp_path, inputs)))
    assert problem.startswith(says)


def test_the_members_of_the_file_are_checked(tmp_path: Path) -> None:
    assert messages(error_of(write(tmp_path, {}, input={}))) == [
        "input: is not known; did you mean inputs?"
    ]
    assert Inputs.read(write(tmp_path, {}, **{"$schema": "inputs-1.json"})).pins == {}
    path = tmp_path / "flake-inputs.json"
    path.write_text('{"schema": "nixgen/inputs/1"}')
    assert messages(error_of(path)) == ["inputs: is missing"]
    path.write_text('{"schema": "nixgen/inputs/1", "inputs": {},\n "inputs": {}}')
    (problem,) = error_of(path).problems
    assert (problem.path, problem.message) == ("inputs", "is there twice")
    assert problem.where == "flake-inputs.json:2"


def test_all_faults_are_reported_in_the_order_of_their_lines(tmp_path: Path) -> None:
    document = json.loads(default_inputs().read_text())["inputs"]
    document["nixpkgs"]["narHash"] = "sha256-short"
    document["kubenix"]["rev"] = "main"
    error = error_of(write(tmp_path, document))
    assert [problem.path for problem in error.problems] == [
        "inputs.kubenix.rev",
        "inputs.nixpkgs.narHash",
    ]
    assert [problem.where for problem in error.problems] == [
        "flake-inputs.json:16",
        "flake-inputs.json:26",
    ]


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    entry = {**SOUND["tarball"], "url": "https://me:hunter2@example.org/a"}
    (problem,) = messages(error_of(write(tmp_path, {"x": entry})))
    assert "hunter2" not in problem
    assert "https://…@example.org/a" in problem


def test_the_error_of_a_missing_file_has_a_hint(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="does not exist"):
        Inputs.read(tmp_path / "flake-inputs.json")
