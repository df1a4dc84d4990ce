"""The lock file: it is read back as written, and each fault has its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nixgen.debian.lock import read_lock, write_lock
from nixgen.errors import LockError

GOOD: dict[str, Any] = {
    "schema": "nixgen/debian-lock/1",
    "suite": "bookworm",
    "architectures": {
        "amd64": {
            "roots": {"nginx": ["nginx"]},
            "packages": {
                "nginx": {
                    "version": "1.22.1-9",
                    "archive": "debian",
                    "path": "pool/main/n/nginx/nginx_1.22.1-9_amd64.deb",
                    "sha256": "a" * 64,
                    "size": 5,
                    "depends": ["libc6"],
                },
                "libc6": {
                    "version": "2.36",
                    "archive": "debian-security",
                    "path": "pool/l/libc6.deb",
                    "sha256": "b" * 64,
                    "size": 6,
                    "depends": [],
                },
            },
            "units": {"nginx": ["libc6", "nginx"]},
            "busybox": {"sha256": "c" * 64, "narHash": "sha256-" + "A" * 43 + "="},
        }
    },
}


def written(folder: Path, document: object) -> Path:
    path = folder / "debian.lock.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_lock_is_read_and_written_byte_for_byte(tmp_path: Path) -> None:
    lock = read_lock(written(tmp_path, GOOD))
    again = tmp_path / "again.json"
    assert write_lock(lock, again)
    text = again.read_text()
    assert json.loads(text) == GOOD
    assert text == json.dumps(GOOD, indent=2, sort_keys=True) + "\n"
    assert not write_lock(lock, again)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.json", "debian.lock.json"]


def package(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["architectures"]["amd64"]["packages"]["nginx"]
    return found


def change(field: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: package(document).update({field: value})


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (change("sha256", "abc"), "packages.nginx.sha256"),
        (change("size", "5"), "packages.nginx.size"),
        (change("size", True), "packages.nginx.size"),
        (change("archive", "ubuntu"), "packages.nginx.archive"),
        (change("path", "../../etc/passwd.deb"), "packages.nginx.path"),
        (change("path", "http://mirror/x.deb"), "packages.nginx.path"),
        (change("depends", ["ghost"]), "packages.nginx.depends[0]"),
        (change("depends", "libc6"), "packages.nginx.depends"),
        (change("extra", 1), "packages.nginx.extra"),
        (lambda d: package(d).pop("version"), "packages.nginx.version"),
        (lambda d: d["architectures"]["amd64"]["roots"].update(x=["ghost"]), "roots.x[0]"),
        (lambda d: d["architectures"]["amd64"]["units"].update(x=["nginx"]), "units.x"),
        (
            lambda d: d["architectures"]["amd64"]["busybox"].update(narHash="sha256-x"),
            "busybox.narHash",
        ),
        (lambda d: d.update(architectures=[]), "architectures"),
        (lambda d: d.update(suite=12), "suite"),
    ],
)
def test_the_error_names_each_wrong_value(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], place: str
) -> None:
    document = copy.deepcopy(GOOD)
    spoil(document)
    with pytest.raises(LockError) as caught:
        read_lock(written(tmp_path, document))
    assert "debian.lock.json" in caught.value.message
    assert place in caught.value.message
    assert "nixgen inputs update" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not JSON"), ("[]", "not an object"), ('{"schema": "nixgen/debian-lock/9"}', "schema")],
)
def test_a_file_that_is_no_lock_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(LockError, match=message):
        read_lock(written(tmp_path, content))


def test_the_error_of_a_missing_file_has_a_hint(tmp_path: Path) -> None:
    with pytest.raises(LockError) as caught:
        read_lock(tmp_path / "debian.lock.json")
    assert "nixgen inputs update" in (caught.value.hint or "")


def _arch(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["architectures"]["amd64"]
    return found


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("version", "1\n\x1b[31m"), "expected a version of Debian"),
        (change("version", "$(touch x)"), "expected a version of Debian"),
        (change("size", 10**30), "expected a size in bytes"),
        (lambda lock: lock.update(suite="../sid"), "expected the name of a suite"),
        (
            lambda lock: lock["architectures"].update({"a/..": _arch(lock)}),
            "'a/..' is not an architecture",
        ),
        (lambda lock: _arch(lock)["units"].update({"../x": ["libc6", "nginx"]}), "'../x' is not a"),
        (lambda lock: _arch(lock)["roots"].update({'x"; y': ["nginx"]}), "'x\"; y' is not a name"),
    ],
)
def test_a_text_that_would_become_a_path_or_code_is_refused(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    document = copy.deepcopy(GOOD)
    edit(document)
    with pytest.raises(LockError) as caught:
        read_lock(written(tmp_path, document))
    assert message in "\n".join([str(caught.value), *caught.value.details])


def test_packages_that_need_each_other_are_one_unit(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    _arch(document)["packages"]["libc6"]["depends"] = ["nginx"]
    read_lock(written(tmp_path, document))
    _arch(document)["units"] = {}
    with pytest.raises(LockError) as caught:
        read_lock(written(tmp_path, document))
    assert "without a unit: nginx → libc6 → nginx" in str(caught.value)


def test_a_package_may_name_itself(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    package(document)["depends"] = ["libc6", "nginx"]
    read_lock(written(tmp_path, document))


def test_a_chain_of_packages_may_be_long(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    packages = _arch(document)["packages"]
    for number in range(3000):
        packages[f"p{number}"] = {**packages["libc6"], "depends": [f"p{number + 1}"]}
    packages["p3000"] = packages["libc6"]
    read_lock(written(tmp_path, document))


@pytest.mark.parametrize(
    "root",
    [
        "_build",
        "python3Packages.zope.interface",
        "perlPackages.LWP::UserAgent",
        "nodePackages.@a/b",
    ],
)
def test_a_root_may_be_a_library_of_a_language(tmp_path: Path, root: str) -> None:
    document = copy.deepcopy(GOOD)
    _arch(document)["roots"][root] = ["nginx"]
    read_lock(written(tmp_path, document))
