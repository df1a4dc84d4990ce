"""Say why the mirrors no longer have a package of a lock."""

from __future__ import annotations

from nixgen.debian.download import Absent
from nixgen.debian.index import Index
from nixgen.debian.version import version_key

__all__ = ["describe_absence"]


def describe_absence(absent: Absent, index: Index) -> str:
    """The reason in words, such as ``curl 7.88.1-9 was superseded by 7.88.1-10``.

    :param absent: the package.
    :param index: the packages that the suite of the lock has now.
    """
    locked = f"{absent.name} {absent.package.version}"
    versions = [entry.version for entry in index.versions(absent.name)]
    if not versions:
        return f"{locked} {absent.reason}, and {index.suite} has no package of that name"
    newest = max(versions, key=version_key)
    if version_key(newest) > version_key(absent.package.version):
        return f"{locked} was superseded by {newest}"
    if absent.package.version == newest:
        return f"{locked} {absent.reason}, though {index.suite} still lists it: try again later"
    return f"{locked} is not of {index.suite}, which has {newest}"
