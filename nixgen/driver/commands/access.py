"""Find out whether this user can write to the Nix store, directly or through the Nix daemon."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from attrs import frozen

__all__ = ["Refusal", "refusal", "writes_directly"]

#: Debian's package of the daemon opens the folder of its socket to this group.
_GROUP = "nix-users"


@frozen
class Refusal:
    """The reason why this user cannot write to the store.

    :param message: the reason.
    :param remedy: the commands that change it.
    """

    message: str
    remedy: str


def writes_directly() -> bool:
    """Whether this user may write to the folder of the store, so that Nix needs no daemon."""
    store = _store()
    existing = next(folder for folder in (store, *store.parents) if folder.exists())
    return _may_write(existing)


def refusal() -> Refusal | None:
    """The reason why this user cannot write to the store; None if there seems to be none."""
    socket = Path(os.environ.get("NIX_DAEMON_SOCKET_PATH", "/nix/var/nix/daemon-socket/socket"))
    if writes_directly():
        return None
    try:
        group = _group(socket)
        if _may_write(socket):
            return None
    except PermissionError:
        group = _group_of_folder(socket.parent)
    except OSError:
        return Refusal(
            f"this user cannot write to {_store()}, and no Nix daemon listens at {socket}",
            f"apt-get install nix-setup-systemd and join its group {_GROUP}, or run as root",
        )
    return Refusal(
        f"this user may not open the daemon's socket, {socket}, which is for the group {group}",
        f"adduser {_user()} {group} (as root), then log in again",
    )


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _store() -> Path:
    return Path(os.environ.get("NIX_STORE_DIR", "/nix/store"))


def _group_of_folder(folder: Path) -> str:
    try:
        return _group(folder)
    except OSError:
        return _GROUP


def _group(path: Path) -> str:
    """The group that may use a socket or the folder around it."""
    number = os.stat(path).st_gid  # noqa: PTH116 - Path.exists() hides a folder without access
    try:
        name = grp.getgrgid(number).gr_name
    except KeyError:
        return _GROUP
    return _GROUP if name == "root" else name


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "YOUR-NAME"
