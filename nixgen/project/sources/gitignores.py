"""The .gitignore files that count for a path. Paths are bytes, as the disk has them."""

from __future__ import annotations

import os
import stat

import attrs

from nixgen.gitignore import Scope, decision, parse

__all__ = ["GITIGNORE", "Gitignores", "below", "relative"]

GITIGNORE = b".gitignore"
_REPOSITORY = b".git"


def below(folder: bytes, name: bytes) -> bytes:
    """Join two paths, each of which may be empty.

    :param folder: the path of a folder.
    :param name: a path in the folder.
    """
    return b"%s/%s" % (folder, name) if folder and name else folder or name


def relative(folder: bytes, path: bytes) -> bytes:
    """The path of something from a folder that contains it; empty for the folder itself.

    :param folder: the path of the folder.
    :param path: the path of the thing.
    """
    return path[len(folder) :].removeprefix(b"/")


def _holds(folder: bytes, path: bytes) -> bool:
    return folder == path or path.startswith(folder.rstrip(b"/") + b"/")


def _content(path: bytes) -> bytes:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
    except (FileNotFoundError, NotADirectoryError):
        return b""
    with open(path, "rb") as stream:
        return stream.read()


@attrs.define
class Gitignores:
    """The .gitignore files of a disk. Each is read once.

    :param root: the folder of the project.
    :ivar looked_at: the paths that decided which files and rules count, whether they exist or not.
    """

    root: bytes
    looked_at: set[bytes] = attrs.field(factory=set, init=False)
    _scopes: dict[tuple[bytes, bytes], Scope] = attrs.field(factory=dict, init=False)

    def repository(self, place: bytes) -> bytes:
        """The folder from which .gitignore files count for a path.

        :param place: the path.
        :raises OSError: a .gitignore file cannot be read.
        """
        found = self._nearest(place)
        if found is not None and _holds(found, self.root):
            project = relative(found, self.root)
            if self.culprit(found, project, folder=True) is not None:
                found = None
        return found or os.path.commonpath((self.root, place))

    def _nearest(self, place: bytes) -> bytes | None:
        while True:
            mark = below(place, _REPOSITORY)
            # the folder itself changes with every commit
            self.looked_at.add(below(mark, b"HEAD") if os.path.isdir(mark) else mark)
            if os.path.lexists(mark):
                return place
            parent = os.path.dirname(place)
            if parent == place:
                return None
            place = parent

    def scope(self, repository: bytes, folder: bytes) -> Scope:
        """The rules of one folder of a repository. As in git, links are not followed.

        :param repository: the path of the repository.
        :param folder: the folder, from there.
        :raises OSError: the .gitignore file exists and cannot be read.
        """
        found = self._scopes.get((repository, folder))
        if found is None:
            path = os.path.join(repository, folder, GITIGNORE)
            self.looked_at.add(path)
            found = self._scopes[repository, folder] = Scope(folder, tuple(parse(_content(path))))
        return found

    def culprit(self, repository: bytes, path: bytes, *, folder: bool) -> tuple[bytes, int] | None:
        """The file and line of the rule that leaves out a path or a folder around it, if any.

        :param repository: the path of the repository.
        :param path: the path from there.
        :param folder: whether the path is a folder.
        """
        scopes: list[Scope] = []
        parts = path.split(b"/") if path else []
        for depth, part in enumerate(parts):
            above = b"/".join(parts[:depth])
            scopes.append(self.scope(repository, above))
            found = decision(scopes, below(above, part), folder=folder or depth + 1 < len(parts))
            if found is not None and not found[1].negated:
                scope, rule = found
                return os.path.join(repository, scope.folder, GITIGNORE), rule.line
        return None
