"""Finds the values of secrets in files that would be uploaded.

Everybody can read a store path, and a cache keeps it.

A value is searched for in all forms of `nixgen.cache.push.forms`: as it is, escaped, in base64, in
hexadecimal and in UTF-16. It is not found in compressed or encrypted files. Values are never part
of a representation, a message or a log.
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
"""Least bytes of a value that is searched for: shorter words are found everywhere."""

_DIRECTORIES = ("NIXGEN_SECRETS_DIR", "CREDENTIALS_DIRECTORY")
_WINDOW = 256 << 10


@frozen(kw_only=True)
class Values:
    """The values of a project's secrets on this computer.

    :param found: (name, value); several for a secret with different values in several places.
    :param absent: names of secrets without a readable file.
    """

    found: tuple[tuple[str, bytes], ...] = field(repr=False)
    absent: tuple[str, ...]


def read_values(files: Iterable[tuple[str, str]], environment: Mapping[str, str]) -> Values:
    """Read the values of secrets on this computer.

    A secret may be in the file that it has on its machine, and in a file of its name in the folders
    ``NIXGEN_SECRETS_DIR`` and systemd's ``CREDENTIALS_DIRECTORY`` (systemd.exec(5),
    LoadCredential=).

    :param files: (name, absolute path on the machine) of each secret.
    :param environment: the environment variables.
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
    """The values of secrets, in all forms that are searched for.

    :param names: of the secrets.
    :param too_short: names of secrets that are not searched for; see `LEAST_LENGTH`.
    """

    names: tuple[str, ...]
    too_short: tuple[str, ...]
    _forms: tuple[tuple[Form, str], ...] = field(repr=False, alias="forms")

    @classmethod
    def of(cls, secrets: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Scanner:
        """Make a scanner for some secrets.

        :param secrets: name → value, or pairs of both. A newline at the end of a value is removed:
            editors leave it at the end of a file.
        """
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
        """Whether there is a value to search for."""
        return bool(self._forms)

    def scan(self, chunks: Iterable[bytes]) -> frozenset[str]:
        """Search one stream.

        :param chunks: the pieces of the stream.
        :returns: the names of the secrets in it.
        """
        search = Scan(self._forms)
        for chunk in chunks:
            search.feed(chunk)
        return search.finish()


class Scan:
    """A search through one stream. It holds at most a window and one chunk of the stream.

    :param forms: (form of a value, name of the secret).
    """

    def __init__(self, forms: Iterable[tuple[Form, str]]) -> None:
        self._forms = list(forms)
        self._overlap = max((form.reach for form, _ in self._forms), default=1) - 1
        self._pending: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._leaked: set[str] = set()

    def feed(self, chunk: bytes) -> None:
        """Search the next piece of the stream.

        :param chunk: of any size.
        """
        if not self._forms:
            return
        # NARs come in pieces of a few bytes, and a search costs as much as some thousands of bytes.
        self._pending.append(chunk)
        self._size += len(chunk)
        if self._size >= _WINDOW:
            self._search()

    def finish(self) -> frozenset[str]:
        """End the search, and return the names of the secrets that were found."""
        self._search()
        return frozenset(self._leaked)

    def _search(self) -> None:
        window = b"".join((self._tail, *self._pending))
        self._pending.clear()
        self._size = 0
        self._tail = window[-self._overlap :] if self._overlap else b""
        copies = alphabets(window)
        found = {name for form, name in self._forms if form.is_in(copies[form.alphabet])}
        if found:
            self._leaked |= found
            self._forms = [item for item in self._forms if item[1] not in self._leaked]


@frozen(kw_only=True)
class Leak:
    """The value of a secret in a file that everybody could read.

    :param path: the store path; for a build log, the derivation.
    :param file: the file in the path; empty when the path itself is the file, or for a log.
    :param secret: the name of the secret.
    """

    path: str
    file: str
    secret: str


def scan_paths(paths: Iterable[str], scanner: Scanner, store: Store) -> list[Leak]:
    """Search store paths, without their references, for secrets.

    :param paths: the store paths.
    :param scanner: the secrets.
    :param store: where the paths are.
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
    """The files of a path that contain each secret.

    A secret that is found only across file boundaries is reported for the path itself.
    """
    unseen = set(names)
    for file in [real, *sorted(real.rglob("*"))] if real.is_dir() else [real]:
        inside = file.relative_to(real).as_posix() if file != real else ""
        for name in sorted(scanner.scan(_bytes_of(file))):
            unseen.discard(name)
            yield Leak(path=path, file=inside, secret=name)
    for name in sorted(unseen):
        yield Leak(path=path, file="", secret=name)


def _bytes_of(file: Path) -> Iterator[bytes]:
    """The name of a file, and its content, or the target of a link."""
    yield os.fsencode(file.name)
    yield b"\0"
    if file.is_symlink():
        yield os.fsencode(file.readlink())
    elif file.is_file():
        with file.open("rb") as stream:
            while chunk := stream.read(_WINDOW):
                yield chunk


def scan_logs(infos: Iterable[PathInfo], scanner: Scanner, store: Store) -> list[Leak]:
    """Search build logs for secrets.

    :param infos: the paths whose builds are meant.
    :param scanner: the secrets.
    :param store: where the logs are.
    """
    if not scanner:
        return []
    return [
        Leak(path=drv, file="", secret=name)
        for drv in dict.fromkeys(info.deriver for info in infos if info.deriver)
        if (log := store.build_log(drv)) is not None
        for name in sorted(scanner.scan((log,)))
    ]


def leak_error(leaks: Iterable[Leak], brought: Mapping[str, Iterable[str]]) -> LeakError:
    """The error about leaks.

    :param leaks: at least one.
    :param brought: store path → the targets with it in their closure.
    """
    leaks = list(leaks)
    secrets = list(dict.fromkeys(leak.secret for leak in leaks))
    lines = []
    for leak in leaks:
        by = ", ".join(brought.get(leak.path, ()))
        where = leak.path + (f"/{leak.file}" if leak.file else "")
        if leak.path.endswith(".drv"):
            where = f"the build log of {leak.path}"
        lines.append(f"{leak.secret}: {where}" + (f", needed by {by}" if by else ""))
    what = f"{len(secrets)} secrets" if secrets[1:] else f"the secret {secrets[0]!r}"
    where = f"{len(lines)} files" if lines[1:] else "a store path"
    return LeakError(
        f"the value of {what} is in {where} that would be uploaded",
        hint="give it to its service with secrets=[…] instead, and change the value:"
        f" the store has it ({', '.join(secrets)})",
        details=lines,
    )
