"""Files of sources that look like secrets: the Nix store, to which they are copied, is readable by everybody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

from nixgen.errors import Problem
from nixgen.models import Source
from nixgen.project.sources.look import Sources, readable

__all__ = ["private_files"]

#: Names of files that hold passwords and private keys, as their programs name them.
_PRIVATE = (
    ".env",
    ".env.*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    "id_*",
    ".netrc",
    ".pgpass",
    ".htpasswd",
    ".npmrc",
    ".pypirc",
)
#: Names that look like these, and are public by their purpose.
_PUBLIC = ("*.pub", "*.example", "*.sample", "*.template", "*.dist", "id_*.*")


def private_files(sources: Sources, used: Iterable[tuple[str, Source]]) -> Iterator[Problem]:
    """Find copied files whose names are those of secrets.

    :param sources: the look at the disk.
    :param used: the sources with their model paths.
    :return: one note for each source. A file that ``include`` names is meant, and is not reported.
    :raises InputError: something cannot be read.
    """
    for path, source in used:
        with readable():
            entries = sources.listing(source).entries
        names = [
            os.fsdecode(entry.name) or source.relative_path
            for entry in entries
            if entry.kind in {"file", "executable"}
        ]
        found = [name for name in names if _is_private(name) and name not in (source.include or ())]
        if not found:
            continue
        first, *others = found
        more = f" and {len(others)} more such files" if others else ""
        where = str(source.origin).removeprefix(f"{sources.root}/")
        patterns = ", ".join(f'"{name}"' for name in found[:3])
        yield Problem(
            path,
            f"{source.path} takes {first}{more} into the Nix store, which everybody can read",
            where=where if source.origin else None,
            hint=f"write Source(…, exclude=[{patterns}]), or include=[…] if it is no secret",
        )


def _is_private(name: str) -> bool:
    file = name.rpartition("/")[2].lower()
    return any(fnmatch(file, each) for each in _PRIVATE) and not any(
        fnmatch(file, each) for each in _PUBLIC
    )
