"""Finds the values of secrets in what would be uploaded: a store path is readable by everybody, and a cache keeps it.

A value is searched for in all forms that `nixgen.cache.push.forms` knows: as it is, escaped, in base64, in hexadecimal and
in UTF-16. Compression and encryption hide it. Values are never part of a representation, a message or a log.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import field, frozen

from nixgen.cache.format.nar import write_nar
from nixgen.cache.push.forms import Form, alphabets, forms
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import LeakError

__all__ = [
    "LEAST_LENGTH",
    "Leak",
    "Scan",
    "Scanner",
    "Values",
    "leak_error",
    "read_values",
    "scan_logs",
    "scan_paths",
]

LEAST_LENGTH = 8
"""Bytes below which a value is not searched for: short words are found everywhere."""

_DIRECTORIES = ("NIXGEN_SECRETS_DIR", "CREDENTIALS_DIRECTORY")
_WINDOW = 256 << 10


@frozen(kw_only=True)
class Values:
    """What is known here of a project's secrets.

    :param found: name and value, several for a secret that lies in several places.
    :param absent: names of secrets that no place has, or lets us read.
    """

    found: tuple[tuple[str, bytes], ...] = field(repr=False)
    absent: tuple[str, ...]


def read_values(files: Iterable[tuple[str, str]], environment: Mapping[str, str]) -> Values:
    """Look for secrets where this machine would have them.

    Each may be the file that it is on the machine, and ``NAME`` in the folders that the variables ``NIXGEN_SECRETS_DIR`` and
    systemd's ``CREDENTIALS_DIRECTORY`` give (systemd.exec(5), LoadCredential=).

    :param files: name and absolute path on the machine of each.
    """
    folders = [Path(environment[name]) for name in _DIRECTORIES if environment.get(name)]
    found: list[tuple[str, bytes]] = []
    places: dict[str, list[Path]] = {}
    for name, file in files:
        places.setdefault(name, [folder / name for folder in folders]).append(Path(file))
    absent = []
    for name, candidates in sorted(places.items()):
        values = [value for value in map(_content, candidates) if value is not None]
        found += ((name, value) for value in dict.fromkeys(values))
        if not values:
            absent.append(name)
    return Values(found=tuple(found), absent=tuple(absent))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


@frozen(kw_only=True)
class Scanner:
    """What is searched for.

    :param names: of the secrets that are.
    :param too_short: of those that are not, see `LEAST_LENGTH`.
    """

    names: tuple[str, ...]
    too_short: tuple[str, ...]
    _forms: tuple[tuple[Form, str], ...] = field(repr=False, alias="forms")

    @classmethod
    def of(cls, secrets: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Scanner:
        """:param secrets: name → value; the newline that editors leave at the end of a file is no part of it."""
        pairs = secrets.items() if isinstance(secrets, Mapping) else secrets
        known: list[tuple[Form, str]] = []
        names: dict[str, None] = {}
        short: dict[str, None] = {}
        for name, given in pairs:
            value = given.removesuffix(b"\n").removesuffix(b"\r")
            if len(value) < LEAST_LENGTH:
                short[name] = None
                continue
            names[name] = None
            known += ((form, name) for form in forms(value))
        return cls(names=tuple(names), too_short=tuple(short), forms=tuple(known))

    def __bool__(self) -> bool:
        """Whether there is anything to search for."""
        return bool(self._forms)

    def start(self) -> Scan:
        """A search through one stream, to be fed piece by piece."""
        return Scan(self._forms)

    def scan(self, chunks: Iterable[bytes]) -> frozenset[str]:
        """The names of the secrets whose value is in the stream that ``chunks`` make up."""
        search = self.start()
        for chunk in chunks:
            search.feed(chunk)
        return search.finish()


class Scan:
    """One search through one stream. Of the stream, at most a window and one chunk are held."""

    def __init__(self, forms: Iterable[tuple[Form, str]]) -> None:
        self._forms = list(forms)
        self._overlap = max((form.reach for form, _ in self._forms), default=1) - 1
        self._pending: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._found: set[str] = set()

    def feed(self, chunk: bytes) -> None:
        """The next piece of the stream, of any size."""
        if not self._forms:
            return
        # NARs come in pieces of a few bytes; each search costs as much as some thousands of bytes
        self._pending.append(chunk)
        self._size += len(chunk)
        if self._size >= _WINDOW:
            self._search()

    def finish(self) -> frozenset[str]:
        """The stream is over: the names of the secrets that were in it."""
        self._search()
        return frozenset(self._found)

    def _search(self) -> None:
        window = b"".join((self._tail, *self._pending))
        self._pending.clear()
        self._size = 0
        self._tail = window[-self._overlap :] if self._overlap else b""
        copies = alphabets(window)
        found = {name for form, name in self._forms if form.is_in(copies[form.alphabet])}
        if found:
            self._found |= found
            self._forms = [item for item in self._forms if item[1] not in self._found]


@frozen(kw_only=True)
class Leak:
    """A secret's value where everybody can read it.

    :param path: the store path; of a build log, that of its derivation.
    :param file: in it, relative; empty when the path is itself the file, or the log.
    """

    path: str
    file: str
    secret: str


def scan_paths(paths: Iterable[str], scanner: Scanner, store: Store) -> list[Leak]:
    """Read every one of ``paths`` (not what they refer to), and name the files that hold a secret.

    :raises StoreError: a path cannot be read.
    """
    if not scanner:
        return []
    return [
        leak
        for path in paths
        if (names := scanner.scan(write_nar(store.real_path(path))))
        for leak in _located(path, names, scanner, store.real_path(path))
    ]


def _located(path: str, names: frozenset[str], scanner: Scanner, real: Path) -> Iterator[Leak]:
    """Which files of ``path`` it is; the path itself for what is nowhere as a whole."""
    unseen = set(names)
    for file in [real, *sorted(real.rglob("*"))] if real.is_dir() else [real]:
        inside = file.relative_to(real).as_posix() if file != real else ""
        for name in sorted(scanner.scan(_bytes_of(file))):
            unseen.discard(name)
            yield Leak(path=path, file=inside, secret=name)
    for name in sorted(unseen):
        yield Leak(path=path, file="", secret=name)


def _bytes_of(file: Path) -> Iterator[bytes]:
    """Name and content, or target of the link."""
    yield os.fsencode(file.name)
    yield b"\0"
    if file.is_symlink():
        yield os.fsencode(file.readlink())
    elif file.is_file():
        with file.open("rb") as stream:
            while chunk := stream.read(_WINDOW):
                yield chunk


def scan_logs(infos: Iterable[PathInfo], scanner: Scanner, store: Store) -> list[Leak]:
    """Search the logs that the store has of the builds of ``infos``."""
    if not scanner:
        return []
    return [
        Leak(path=drv, file="", secret=name)
        for drv in dict.fromkeys(info.deriver for info in infos if info.deriver)
        if (log := store.build_log(drv)) is not None
        for name in sorted(scanner.scan((log,)))
    ]


def leak_error(leaks: Iterable[Leak], brought: Mapping[str, Iterable[str]]) -> LeakError:
    """What to tell of at least one leak.

    :param brought: store path → the targets whose closure has it.
    """
    lines = []
    secrets: dict[str, None] = {}
    for leak in leaks:
        secrets[leak.secret] = None
        by = ", ".join(brought.get(leak.path, ()))
        where = leak.path + (f"/{leak.file}" if leak.file else "")
        if leak.path.endswith(".drv"):
            where = f"the build log of {leak.path}"
        lines.append(f"{leak.secret}: {where}" + (f", needed by {by}" if by else ""))
    names = ", ".join(secrets)
    return LeakError(
        f"the value of {_secrets(secrets)} is in {_places(lines)} that would be uploaded",
        hint=f"give it to its service with secrets=[…] instead, and change the value: the store has it ({names})",
        details=lines,
    )


def _secrets(names: Mapping[str, None]) -> str:
    return f"the secret {next(iter(names))!r}" if len(names) == 1 else f"{len(names)} secrets"


def _places(lines: list[str]) -> str:
    return "a store path" if len(lines) == 1 else f"{len(lines)} files"
