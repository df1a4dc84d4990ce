"""Whether a user can write to the store, and the advice to a user who cannot."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from nixgen.driver.commands import access

GROUP = next(each for each in grp.getgrall() if each.gr_gid)


class Os:
    """The module ``os`` with another ``stat``."""

    def __init__(self, stat: object) -> None:
        self.stat = stat

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of a daemon's socket, for a user who may write nowhere."""
    path = tmp_path / "daemon-socket/socket"
    path.parent.mkdir()
    monkeypatch.setenv("NIX_STORE_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", str(path))
    # tests may run as root, who may write everywhere
    monkeypatch.setattr(access, "_may_write", lambda _: False)
    return path


def test_a_writable_store_needs_no_daemon(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_may_write", lambda path: path == socket.parents[1])
    assert access.writes_directly()
    assert access.refusal() is None


def test_an_open_socket_is_enough(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket.touch()
    monkeypatch.setattr(access, "_may_write", lambda path: path == socket)
    assert not access.writes_directly()
    assert access.refusal() is None


def test_a_missing_daemon_is_named_with_its_package(socket: Path) -> None:
    found = access.refusal()
    assert found is not None
    assert str(socket) in found.message
    assert "nix-setup-systemd" in found.remedy
    assert "nix-users" in found.remedy


@pytest.mark.parametrize("closed", ["folder", "socket"])
@pytest.mark.parametrize(
    ("group", "name"), [(GROUP.gr_gid, GROUP.gr_name), (0, "nix-users"), (2**31 - 7, "nix-users")]
)
def test_a_closed_socket_is_named_with_the_group_to_join(
    socket: Path, monkeypatch: pytest.MonkeyPatch, closed: str, group: int, name: str
) -> None:
    socket.touch()
    real = os.stat

    def stat(path: Path) -> os.stat_result:
        if closed == "folder" and path == socket:
            raise PermissionError(13, "Permission denied", path)
        found = list(real(path))
        found[5] = group
        return os.stat_result(found)

    monkeypatch.setattr(access, "os", Os(stat))
    refused = access.refusal()
    assert refused is not None
    assert f"{socket}, which is for the group {name}" in refused.message
    assert f" {name} " in refused.remedy
