"""The dependencies of an evaluation: everything that it can read, and a digest of all of it.

The search begins with one Nix text and follows paths from file to file. Each dependency counts with
its contents: a file byte for byte, a folder with everything in it, a path that does not exist as
absent. Two kinds of trees count as a whole and are not searched: nixgen's own Nix library, which
reads nothing outside of itself, and local sources, some of whose files do not count.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from attrs import define, field, frozen

from nixgen.driver.evaluate.mentions import Mentions, find_mentions

__all__ = ["Dependencies", "DependencyGraph", "file_content"]

#: The largest folder that counts with its content. A larger one is no part of a project, but a home
#: directory or a nixpkgs.
_MOST_ENTRIES = 10_000
_MOST_BYTES = 1 << 29
#: The largest file that counts with its content. A larger one counts by its size and time, because
#: reading it would take longer than the evaluation.
_LARGE_FILE = 1 << 26


@frozen(kw_only=True)
class Dependencies:
    """Everything that one evaluation can read.

    :param digest: SHA-256 over all of it. Equal digests mean equal inputs.
    :param doubts: reasons why the evaluation may read something else, each a sentence that begins
        with a place, such as ``modules/clock.nix:3 asks what time it is (currentTime)``.
    :param paths: the files and folders in the digest, whether they exist or not, without
        ``folders`` and without the contents of sources.
    :param folders: folders that strings name, such as ``/tmp``. Only their existence counts.
    :param variables: the environment variables in the digest.
    """

    digest: bytes
    doubts: tuple[str, ...]
    paths: frozenset[str]
    folders: frozenset[str]
    variables: frozenset[str]


_Kind: TypeAlias = Literal["library", "nix", "path", "place", "source", "string", "variable"]


class _Node(NamedTuple):
    """A thing that an evaluation can read.

    :param kind: ``path``: a path that code names relative to its own file. ``place``: an absolute
        one. ``string``: an absolute path in a string. ``nix``: the text of a Nix file. ``source``:
        a local source. ``library``: nixgen's own. ``variable``: of the environment.
    :param name: the absolute path, or the name of the variable.
    """

    kind: _Kind
    name: str


#: digests of trees that are not searched here
_SOURCE, _LIBRARY, _STORE = _ELSEWHERE = (b"source", b"library", b"store")
_FOLDER = b"folder"


@frozen
class _Visit:
    """The result of reading a node.

    :param digest: of the node alone.
    :param edges: the nodes that it names.
    :param doubts: see `Dependencies`.
    :param below: the paths inside, if the node is a folder.
    """

    digest: bytes
    edges: tuple[_Node, ...] = ()
    doubts: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


@define(kw_only=True)
class DependencyGraph:
    """The files, folders and variables that Nix texts name. Each is read once for all evaluations.

    :param root: the project's folder. Doubts name files relative to it.
    :param state: a folder that never counts, because nixgen writes it while it evaluates.
    :param generated: the folder of files that nixgen wrote.
    :param library: the folder of nixgen's own Nix library.
    :param sources: path of each local source → a function that returns the digest of the files that
        count in it.
    :param store: Nix's store. Nothing in it ever changes.
    :param environment: the variables that ``getEnv`` reads.
    """

    root: str
    state: str
    generated: str
    library: str
    sources: Mapping[str, Callable[[], bytes]]
    store: str = "/nix/store"
    environment: Mapping[str, str] = field(factory=lambda: os.environ)
    _visits: dict[_Node, _Visit] = field(factory=dict, init=False)

    def dependencies(self, text: bytes, place: str) -> Dependencies:
        """The dependencies of an evaluation that begins with a Nix text, the text included.

        :param text: the text, which need not be on the disk.
        :param place: the path that its relative paths begin at.
        """
        start = self._nix_text(text, place)
        visits = self._closure(start)
        digest = hashlib.sha256(start.digest)
        doubts = list(start.doubts)
        for node, visit in sorted(visits.items()):
            _add(digest, f"{node.kind} {self._relative(node.name)}", visit.digest)
            doubts += visit.doubts
        if any(node.kind == "nix" and not _is_in(node.name, self.generated) for node in visits):
            # A file written by hand may use its own path, as in `toString ./.`; a generated one does not.
            _add(digest, "root", os.fsencode(self.root))
        return Dependencies(
            digest=digest.digest(),
            doubts=tuple(dict.fromkeys(doubts)),
            paths=_paths(visits),
            folders=frozenset(
                node.name for node, visit in visits.items() if visit.digest == _FOLDER
            ),
            variables=frozenset(node.name for node in visits if node.kind == "variable"),
        )

    def relative_files(self, text: bytes, place: str) -> frozenset[str]:
        """The files, links and folders that the text needs beside it, wherever it lies.

        These are the paths that it names relative to itself, and those that they name in turn,
        whether they exist or not. Local sources and the library are left out.

        :param text: the text, which need not be on the disk.
        :param place: the path that its relative paths begin at.
        """
        visits = self._closure(self._nix_text(text, place), without=frozenset({"place", "string"}))
        elsewhere = {node.name for node, visit in visits.items() if visit.digest in _ELSEWHERE}
        named = _paths(visits) - elsewhere
        return named | {os.path.realpath(path) for path in named}

    def _closure(
        self, start: _Visit, *, without: frozenset[_Kind] = frozenset()
    ) -> dict[_Node, _Visit]:
        visits: dict[_Node, _Visit] = {}
        pending = list(start.edges)
        while pending:
            node = pending.pop()
            if node not in visits and node.kind not in without:
                if node not in self._visits:
                    self._visits[node] = self._read(*node)
                visits[node] = self._visits[node]
                pending += visits[node].edges
        return visits

    def _read(self, kind: _Kind, name: str) -> _Visit:
        match kind:
            case "path" | "place":
                return self._path(name)
            case "string":
                return self._string(name)
            case "nix":
                return self._nix_text(file_content(name), name)
            case "source":
                return _Visit(self.sources[name]())
            case "library":
                return _Visit(_folder_digest(name, _walk(name, self.state)))
            case "variable":
                value = self.environment.get(name)
                return _Visit(b"unset" if value is None else b"=" + os.fsencode(value))

    def _path(self, path: str) -> _Visit:
        """A path in code."""
        if path in self.sources:
            return _Visit(_SOURCE, (_Node("source", path),))
        if _is_in(path, self.library):
            return _Visit(_LIBRARY, (_Node("library", self.library),))
        if _is_in(path, self.store) and path != self.store:
            return _Visit(_STORE)
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return _Visit(b"absent")
        if stat.S_ISDIR(status.st_mode):
            return self._folder(path)
        if not stat.S_ISREG(status.st_mode):
            return _Visit(_file_digest(path, status))
        if _may_be_imported(path):
            # Relative paths in a linked file begin at the target of the link in new Nix, at the link in old.
            places = dict.fromkeys((path, os.path.realpath(path)))
            edges = tuple(_Node("nix", place) for place in places)
        else:
            edges = ()
        return _Visit(_file_digest(path, status), edges)

    def _folder(self, path: str) -> _Visit:
        entries = []
        size = 0
        for entry in _walk(path, self.state):
            entries.append(entry)
            size += entry[1].st_size if stat.S_ISREG(entry[1].st_mode) else 0
            if len(entries) > _MOST_ENTRIES or size > _MOST_BYTES:
                doubt = f"{self._relative(path)} counts as a whole, and is too large to be compared each time"
                return _Visit(b"", (), (doubt,))
        edges = [
            _Node("nix", name)
            for name, status in entries
            if name.endswith(".nix") and stat.S_ISREG(status.st_mode)
        ]
        edges += (
            _Node("path", os.path.realpath(name))
            for name, status in entries
            if stat.S_ISLNK(status.st_mode)
        )
        return _Visit(
            _folder_digest(path, iter(entries)),
            tuple(edges),
            below=tuple(name for name, _ in entries),
        )

    def _string(self, path: str) -> _Visit:
        """An absolute path in a string. A folder counts only as far as ``imports`` would read it:

        strings name many folders that only the machine will have.
        """
        if os.path.isdir(path):
            return _Visit(_FOLDER, (_Node("place", f"{path}/default.nix"),))
        return _Visit(b"", (_Node("place", path),))

    def _nix_text(self, text: bytes, place: str) -> _Visit:
        """A Nix text whose relative paths begin at ``place``."""
        found = find_mentions(text)
        folder = os.path.dirname(place)
        edges = [
            *(
                _Node("place" if path.startswith(("/", "~")) else "path", _resolved(path, folder))
                for path in found.paths | found.prefixes
            ),
            *(_Node("string", _resolved(path, folder)) for path in found.strings),
            *(_Node("variable", name) for name in found.variables),
        ]
        doubts = [f"{self._relative(place)}:{line} {clause}" for line, clause in found.doubts]
        doubts += self._folders_in_strings(found, place)
        return _Visit(hashlib.sha256(text).digest(), tuple(edges), tuple(doubts))

    def _folders_in_strings(self, found: Mentions, place: str) -> Iterator[str]:
        if found.reads_folders:
            for path in sorted(found.strings):
                if not _is_in(path, self.store) and os.path.isdir(path):
                    yield f"{self._relative(place)} may read the folder {path}, which it names in a string"

    def _relative(self, path: str) -> str:
        return path.removeprefix(f"{self.root}/")


def _paths(visits: Mapping[_Node, _Visit]) -> frozenset[str]:
    return frozenset(
        path
        for node, visit in visits.items()
        if node.kind in {"nix", "path", "place", "string"} and visit.digest != _FOLDER
        for path in (node.name, *visit.below)
    )


def _resolved(path: str, folder: str) -> str:
    # as text, like Nix: a/../b is b even if a is a link
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _may_be_imported(path: str) -> bool:
    """Whether a file may be Nix, by its name. Files with other endings are read, but not as Nix."""
    return path.endswith(".nix") or "." not in os.path.basename(path)


def _walk(folder: str, without: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder in the order of names. Links are not followed."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.path == without:
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield entry.path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(entry.path, without)


def file_content(path: str) -> bytes:
    """The bytes of a file, or else a text that names the error.

    :param path: the file.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        return b"unreadable: %d" % (error.errno or 0)


def _file_digest(path: str, status: os.stat_result) -> bytes:
    """Kind, executable bit and contents: Nix sees nothing else of a file."""
    if stat.S_ISLNK(status.st_mode):
        return b"link " + os.fsencode(os.readlink(path))
    if not stat.S_ISREG(status.st_mode):
        return b"special %d" % stat.S_IFMT(status.st_mode)
    executable = bool(status.st_mode & stat.S_IXUSR)
    if status.st_size > _LARGE_FILE:
        return b"large %d %d %d" % (executable, status.st_size, status.st_mtime_ns)
    return b"file %d " % executable + hashlib.sha256(file_content(path)).digest()


def _folder_digest(folder: str, entries: Iterator[tuple[str, os.stat_result]]) -> bytes:
    digest = hashlib.sha256()
    for path, status in entries:
        _add(digest, path[len(folder) :], _file_digest(path, status))
    return digest.digest()


def _add(digest: hashlib._Hash, name: str, content: bytes) -> None:
    # lengths before contents: no two lists of parts give the same bytes
    head = os.fsencode(name)
    digest.update(b"%d:%d:" % (len(head), len(content)) + head + content)
