"""The user and group ids of a container. They are the same in its image and in a cluster."""

from __future__ import annotations

from nixgen.models import Service

__all__ = ["identity"]

#: "nobody" on Debian and elsewhere, for a service that names no user.
_NOBODY = 65534
#: The id of a user without a uid: the first that Debian gives to people.
_FIRST = 1000


def identity(service: Service | None) -> tuple[int, int]:
    """The uid and gid of a service's container.

    :param service: Service that runs in the container; None for an image without one.
    """
    if service is None or service.user is None:
        return _NOBODY, _NOBODY
    user = service.user
    uid = user.uid if user.uid is not None else 0 if service.runs_as_root else _FIRST
    return uid, uid if user.gid is None else user.gid
