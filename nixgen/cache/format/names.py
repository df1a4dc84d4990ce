"""The names of the objects in a binary cache, and their media types.

    nix-cache-info                  which store the cache is for
    <digest>.narinfo                one store path (`nixgen.cache.format.narinfo`)
    <digest>.ls                     the files in it (`nixgen.cache.format.listing`)
    nar/<hash>.nar<extension>       its content, named by the hash of the uncompressed archive
    log/<derivation>                the log of its build
    realisations/<id>.doi           the path of a content-addressed output

Source: src/libstore/binary-cache-store.cc of Nix, which also reads these names.
"""

from __future__ import annotations

import re

from nixgen.store.digest import Hash
from nixgen.store.path import base_name, path_digest

__all__ = [
    "CACHE_INFO",
    "LISTING",
    "NAR",
    "NARS",
    "content_type",
    "is_listing",
    "is_narinfo",
    "listing_name",
    "log_name",
    "nar_name",
    "narinfo_name",
    "object_digest",
    "realisation_name",
]

CACHE_INFO = "nix-cache-info"

NARS = "nar/"
"""The folder of all archives."""

LISTING = re.compile(r"([0-9a-z]{32})\.ls")
"""The name of a listing: the digest of its path, and the ending."""

NAR = re.compile(r"nar/([0-9a-z]{52})\.nar(\.[a-z0-9]+)?")
"""The name of an archive as nixgen gives it: the hash in base 32, and the compression's ending."""

_TYPES = {
    "nix-cache-info": "text/x-nix-cache-info",
    "narinfo": "text/x-nix-narinfo",
    "ls": "application/json",
    "doi": "application/json",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "drv": "text/plain; charset=utf-8",
    "gz": "application/gzip",
    "xz": "application/x-xz",
    "zst": "application/zstd",
    "nar": "application/x-nix-nar",
}


def narinfo_name(path: str) -> str:
    """The name of the narinfo of a store path.

    :param path: the path, its base name, or its digest.
    """
    return f"{path_digest(path)}.narinfo"


def listing_name(path: str) -> str:
    """The name of the listing of a store path.

    :param path: the path, its base name, or its digest.
    """
    return f"{path_digest(path)}.ls"


def nar_name(nar_hash: Hash, extension: str) -> str:
    """The name of an archive. It is known before the archive is compressed.

    :param nar_hash: of the uncompressed archive.
    :param extension: of the compression, with its dot; empty without compression.
    """
    return f"{NARS}{nar_hash.nix32}.nar{extension}"


def log_name(drv: str) -> str:
    """The name of a build log.

    :param drv: the store path of the derivation.
    """
    return f"log/{base_name(drv)}"


def realisation_name(output: str) -> str:
    """The name of the realisation of a content-addressed output.

    :param output: ``sha256:<hash of the derivation>!<output>``.
    """
    return f"realisations/{output}.doi"


def is_narinfo(name: str) -> bool:
    """Whether an object is meant as a narinfo, also one whose name holds no digest.

    :param name: of the object.
    """
    return name.endswith(".narinfo") and "/" not in name


def is_listing(name: str) -> bool:
    """Whether an object is meant as a listing, also one whose name holds no digest.

    :param name: of the object.
    """
    return name.endswith(".ls") and "/" not in name


def object_digest(name: str) -> str:
    """The digest of the store path that a narinfo or a listing is about.

    :param name: of the narinfo or listing.
    """
    return name.partition(".")[0]


def content_type(name: str) -> str:
    """The media type of an object.

    :param name: of the object.
    """
    return _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
