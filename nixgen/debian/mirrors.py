"""The Debian mirrors of this machine. No committed file names them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from attrs import frozen

from nixgen.debian.apt import Target
from nixgen.errors import MirrorError

__all__ = ["ARCHIVES", "NO_MIRROR_HINT", "Mirrors", "find_mirrors", "mirrors_env"]

#: The archives of Debian whose packages a lock may have.
ARCHIVES = ("debian", "debian-security")
VARIABLE = "NIXGEN_DEBIAN_MIRROR"
NO_MIRROR_HINT = (
    f"set {VARIABLE} to the URL of a Debian mirror, ending in /debian (its security archive is expected "
    "beside it, as /debian-security), or run this on a Debian machine with apt configured"
)


@frozen(kw_only=True)
class Mirrors:
    """The URLs of mirrors, without trailing slashes, in the order to try them.

    :param debian: mirrors of the archive ``debian``.
    :param security: mirrors of the archive ``debian-security``.
    """

    debian: tuple[str, ...]
    security: tuple[str, ...]

    def urls(self, archive: str) -> tuple[str, ...]:
        """The URLs of an archive.

        :param archive: ``debian`` or ``debian-security``.
        """
        return self.security if archive == "debian-security" else self.debian


def _unique(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


def _require_usable(url: str) -> None:
    """Check a URL of the variable.

    :raises MirrorError: it is no URL of a mirror. A password in it is not repeated.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        usable = False
        parts = None
    plain = url.isascii() and url.isprintable() and "?" not in url and "#" not in url
    if parts is not None and "@" in parts.netloc:
        raise MirrorError(
            f"{VARIABLE} holds a user or a password, which logs would repeat",
            hint="name a mirror that asks for none, such as a proxy on this network that adds them",
        )
    if not (usable and plain and url.rstrip("/").endswith("/debian")):
        raise MirrorError(
            f"{VARIABLE} is {url!r}, which is no http or https URL ending in /debian",
            hint=NO_MIRROR_HINT,
        )


def find_mirrors(
    targets: Iterable[Target] = (), environment: Mapping[str, str] | None = None
) -> Mirrors:
    """The mirrors of NIXGEN_DEBIAN_MIRROR, URLs separated by spaces, or without it those of apt.

    A user who sets the variable may be unable or forbidden to use another mirror, so the mirrors of
    apt are not tried then.

    :param targets: the lists of apt.
    :param environment: holds the variable; None for the environment of this process.
    :raises MirrorError: neither names a mirror, or the variable is not a http or https URL
        ending in ``/debian``, or holds a password.
    """
    given = (os.environ if environment is None else environment).get(VARIABLE, "").split()
    for url in given:
        _require_usable(url)
    own = () if given else tuple(targets)
    debian = _unique([*given, *(target.site for target in own if target.archive == "debian")])
    security = _unique(target.site for target in own if target.archive == "debian-security")
    if not debian:
        raise MirrorError("no Debian mirror is known", hint=NO_MIRROR_HINT)
    return Mirrors(debian=debian, security=security or tuple(f"{url}-security" for url in debian))


def mirrors_env(mirrors: Mirrors) -> str:
    """The value of NIXGEN_DEBIAN_MIRRORS for Nix: JSON with the first mirror of each archive.

    See docs/contracts.md §3.

    :param mirrors: the mirrors.
    """
    return json.dumps({archive: mirrors.urls(archive)[0] for archive in ARCHIVES}, sort_keys=True)
