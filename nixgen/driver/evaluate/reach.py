"""Everything that an evaluation can read, found from the Nix text it begins with; and a digest of all of it.

Paths are followed from file to file. What is reached counts with its contents: a file byte for byte, a folder with all
that lies in it, a path that leads nowhere with just that. Two kinds of trees count as a whole and are not searched: this
version's own library, which is known to read nothing else, and local sources, of which not every file counts.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from attrs import define, field, frozen

from nixgen.driver.evaluate.mentions import Mentions, mentions

__all__ = ["Reach", "Reached"]

#: A folder with more than this is no part of a project, but a home directory or somebody's nixpkgs.
_MOST_ENTRIES = 10_000
_MOST_BYTES = 1 << 29
#: A file larger than this counts by its size and time: reading it would take longer than to evaluate.
_LARGE_FILE = 1 << 26


@frozen(kw_only=True)
class Reached:
    """What one evaluation can read.

    :param digest: SHA-256 of all of it. Equal digests mean equal inputs.
    :param doubts: why the digest does not tell everything, each a sentence that begins with a place, such as
        ``modules/clock.nix:3 asks what time it is (currentTime)``.
    :param paths: files and folders, there or not, of which one changes when the digest does; without the contents of sources,
        and without ``folders``.
    :param folders: of which counts no more than that they are folders: strings name them, such as ``/tmp``.
    :param variables: environment variables that count.
    """

    digest: bytes
    doubts: tuple[str, ...]
    paths: frozenset[str]
    folders: frozenset[str]
    variables: frozenset[str]


_Kind: TypeAlias = Literal["library", "nix", "path", "place", "source", "string", "variable"]


class _Lead(NamedTuple):
    """Something to look at: a ``path`` in code, relative to it, or the ``place`` on this computer that one names, a path
    that is a ``string``, the text of a ``nix`` file, …
    """

    kind: _Kind
    name: str


#: what is found where nothing is searched
_SOURCE, _LIBRARY, _STORE = _ELSEWHERE = (b"source", b"library", b"store")
_FOLDER = b"folder"


@frozen
class _Found:
    """What became of a lead: its own digest, and where it leads."""

    digest: bytes
    leads: tuple[_Lead, ...] = ()
    doubts: tuple[str, ...] = ()
    #: what lies in it, when it is a folder
    below: tuple[str, ...] = ()


@define(kw_only=True)
class Reach:
    """Follows paths; each file is read once, however many evaluations reach it.

    :param root: the project's folder. Doubts name files relative to it.
    :param state: a folder that never counts, for nixgen writes it while it evaluates.
    :param generated: the folder of files that nixgen wrote.
    :param library: the folder of this version's Nix library.
    :param sources: folder or file of each local source → the digest of what counts of it, when it is called.
    :param store: Nix's store: what lies there never changes.
    :param environment: variables that ``getEnv`` reads.
    """

    root: str
    state: str
    generated: str
    library: str
    sources: Mapping[str, Callable[[], bytes]]
    store: str = "/nix/store"
    environment: Mapping[str, str] = field(factory=lambda: os.environ)
    _known: dict[_Lead, _Found] = field(factory=dict, init=False)

    def of(self, text: bytes, place: str) -> Reached:
        """What is reached from a Nix text that lies at ``place``, the text itself included."""
        start = self._named_by(text, place)
        seen = self._follow(start)
        digest = hashlib.sha256(start.digest)
        doubts = list(start.doubts)
        for lead, found in sorted(seen.items()):
            _add(digest, f"{lead.kind} {self._said(lead.name)}", found.digest)
            doubts += found.doubts
        if any(lead.kind == "nix" and not _is_in(lead.name, self.generated) for lead in seen):
            # What is written by hand can ask where it lies, as in `toString ./.`; what nixgen writes does not.
            _add(digest, "root", os.fsencode(self.root))
        return Reached(
            digest=digest.digest(),
            doubts=tuple(dict.fromkeys(doubts)),
            paths=_paths(seen),
            folders=frozenset(lead.name for lead, found in seen.items() if found.digest == _FOLDER),
            variables=frozenset(lead.name for lead in seen if lead.kind == "variable"),
        )

    def moving(self, text: bytes, place: str) -> frozenset[str]:
        """Files, links and folders, there or not, that must move along for the text to mean the same elsewhere: what is named
        relative to it, and from there on. Local sources are left to who knows what counts of them.
        """
        seen = self._follow(self._named_by(text, place), without=frozenset({"place", "string"}))
        away = {lead.name for lead, found in seen.items() if found.digest in _ELSEWHERE}
        named = _paths(seen) - away
        return named | {os.path.realpath(path) for path in named}

    def _follow(
        self, start: _Found, *, without: frozenset[_Kind] = frozenset()
    ) -> dict[_Lead, _Found]:
        seen: dict[_Lead, _Found] = {}
        pending = list(start.leads)
        while pending:
            lead = pending.pop()
            if lead not in seen and lead.kind not in without:
                found = seen[lead] = self._look(lead)
                pending += found.leads
        return seen

    def _look(self, lead: _Lead) -> _Found:
        found = self._known.get(lead)
        if found is None:
            found = self._known[lead] = self._find(*lead)
        return found

    def _find(self, kind: _Kind, name: str) -> _Found:
        match kind:
            case "path" | "place":
                return self._path(name)
            case "string":
                return self._string(name)
            case "nix":
                return self._named_by(_content(name), name)
            case "source":
                return _Found(self.sources[name]())
            case "library":
                return _Found(_folder_digest(name, _walk(name, self.state)))
            case "variable":
                value = self.environment.get(name)
                return _Found(b"unset" if value is None else b"=" + os.fsencode(value))

    def _path(self, path: str) -> _Found:
        """A path that stands in code."""
        if path in self.sources:
            return _Found(_SOURCE, (_Lead("source", path),))
        if _is_in(path, self.library):
            return _Found(_LIBRARY, (_Lead("library", self.library),))
        if _is_in(path, self.store) and path != self.store:
            return _Found(_STORE)
        try:
            status = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):
            return _Found(b"absent")
        if stat.S_ISDIR(status.st_mode):
            return self._folder(path)
        if not stat.S_ISREG(status.st_mode):
            return _Found(_file_digest(path, status))
        if _may_be_imported(path):
            # Nix reads what a link leads to as a file of that place; where it is named from, older ones mean the link's.
            places = dict.fromkeys((path, os.path.realpath(path)))
            leads = tuple(_Lead("nix", place) for place in places)
        else:
            leads = ()
        return _Found(_file_digest(path, status), leads)

    def _folder(self, path: str) -> _Found:
        entries = []
        size = 0
        for entry in _walk(path, self.state):
            entries.append(entry)
            size += entry[1].st_size if stat.S_ISREG(entry[1].st_mode) else 0
            if len(entries) > _MOST_ENTRIES or size > _MOST_BYTES:
                said = f"{self._said(path)} counts as a whole, and is too large to be compared each time"
                return _Found(b"", (), (said,))
        leads = [
            _Lead("nix", name)
            for name, status in entries
            if name.endswith(".nix") and stat.S_ISREG(status.st_mode)
        ]
        leads += (
            _Lead("path", os.path.realpath(name))
            for name, status in entries
            if stat.S_ISLNK(status.st_mode)
        )
        return _Found(
            _folder_digest(path, iter(entries)),
            tuple(leads),
            below=tuple(name for name, _ in entries),
        )

    def _string(self, path: str) -> _Found:
        """A folder counts as far as ``imports`` would read it: strings name many folders that only the machine will have."""
        if os.path.isdir(path):  # noqa: PTH112
            return _Found(_FOLDER, (_Lead("place", f"{path}/default.nix"),))
        return _Found(b"", (_Lead("place", path),))

    def _named_by(self, text: bytes, place: str) -> _Found:
        """A Nix text that lies at ``place``."""
        found = mentions(text)
        folder = os.path.dirname(place)  # noqa: PTH120
        leads = [
            *(
                _Lead("place" if path.startswith(("/", "~")) else "path", _resolved(path, folder))
                for path in found.paths | found.prefixes
            ),
            *(_Lead("string", _resolved(path, folder)) for path in found.strings),
            *(_Lead("variable", name) for name in found.variables),
        ]
        doubts = [f"{self._said(place)}:{line} {clause}" for line, clause in found.doubts]
        doubts += self._folders_in_strings(found, place)
        return _Found(hashlib.sha256(text).digest(), tuple(leads), tuple(doubts))

    def _folders_in_strings(self, found: Mentions, place: str) -> Iterator[str]:
        if found.reads_folders:
            for path in sorted(found.strings):
                if not _is_in(path, self.store) and os.path.isdir(path):  # noqa: PTH112
                    yield f"{self._said(place)} may read the folder {path}, which it names in a string"

    def _said(self, path: str) -> str:
        return path.removeprefix(f"{self.root}/")


def _paths(seen: Mapping[_Lead, _Found]) -> frozenset[str]:
    return frozenset(
        path
        for lead, found in seen.items()
        if lead.kind in {"nix", "path", "place", "string"} and found.digest != _FOLDER
        for path in (lead.name, *found.below)
    )


def _resolved(path: str, folder: str) -> str:
    # by its letters, as Nix does: a/../b is b, whatever a is
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))  # noqa: PTH111, PTH118


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _may_be_imported(path: str) -> bool:
    """Files with another ending are read, but not as Nix."""
    return path.endswith(".nix") or "." not in os.path.basename(path)  # noqa: PTH119


def _walk(folder: str, without: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, links as themselves, in the order of names."""
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


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        return b"unreadable: %d" % (error.errno or 0)


def _file_digest(path: str, status: os.stat_result) -> bytes:
    """Kind, executable bit and contents, for Nix knows no more of a file."""
    if stat.S_ISLNK(status.st_mode):
        return b"link " + os.fsencode(os.readlink(path))  # noqa: PTH115
    if not stat.S_ISREG(status.st_mode):
        return b"special %d" % stat.S_IFMT(status.st_mode)
    executable = bool(status.st_mode & stat.S_IXUSR)
    if status.st_size > _LARGE_FILE:
        return b"large %d %d %d" % (executable, status.st_size, status.st_mtime_ns)
    return b"file %d " % executable + hashlib.sha256(_content(path)).digest()


def _folder_digest(folder: str, entries: Iterator[tuple[str, os.stat_result]]) -> bytes:
    digest = hashlib.sha256()
    for path, status in entries:
        _add(digest, path[len(folder) :], _file_digest(path, status))
    return digest.digest()


def _add(digest: hashlib._Hash, name: str, content: bytes) -> None:
    # lengths before contents: no two lists of parts give the same bytes
    head = os.fsencode(name)
    digest.update(b"%d:%d:" % (len(head), len(content)) + head + content)
