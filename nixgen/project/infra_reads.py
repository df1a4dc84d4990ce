"""Record the files, folders and variables that infra.py reads, since its models depend on them.

infra.py is Python and may read anything. The audit events of the interpreter (PEP 578) report which
files it opens and which folders it lists. ``os.environ`` and ``os.stat`` raise no audit events, so
both are replaced while infra.py runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, MutableMapping
from importlib.util import source_from_cache
from typing import Any

import attrs

__all__ = ["Reads", "recording"]

#: Audit events after which the dependencies of the code cannot be known.
_VOLATILE = (
    "subprocess.",
    "socket.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.putenv",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@attrs.define
class Reads:
    """The files, folders and variables that some code read.

    :param paths: absolute paths of opened files, of listed folders, and of paths given to
        ``os.stat``.
    :param variables: environment variables that were read, whether they are set or not.
    :param volatile: the code also started programs, wrote files, used the network, changed the
        environment or read all of it.
    """

    paths: set[str] = attrs.field(factory=set)
    variables: set[str] = attrs.field(factory=set)
    volatile: bool = False

    def _path(self, path: Any) -> None:
        if isinstance(path, int):  # an open descriptor: its file was seen when it was opened
            return
        self.paths.add(os.path.abspath(os.fsdecode(path if path is not None else ".")))  # noqa: PTH100 - an audit hook must not import or allocate much

    def _source_of(self, bytecode: str) -> None:
        """Record the source of a compiled module. Python opens only the compiled file."""
        with contextlib.suppress(ValueError):  # the name it is written under before it is complete
            self._path(source_from_cache(bytecode))

    def _event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int) or path is None:
                return
            if _is_bytecode(os.fsdecode(path)):
                self._source_of(os.fsdecode(path))
                return
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                mode is None and flags & _WRITING
            )
            if writes:
                self.volatile = True
            self._path(path)
        elif event in {"os.listdir", "os.scandir"}:
            self._path(arguments[0])
        elif event.startswith(_VOLATILE):
            self.volatile = True


def _is_bytecode(path: str) -> bool:
    """True if a path is in a folder in which Python keeps compiled modules."""
    return "__pycache__" in path or bool(sys.pycache_prefix and path.startswith(sys.pycache_prefix))


class _Environ(MutableMapping[str, str]):
    def __init__(self, real: MutableMapping[str, str], reads: Reads) -> None:
        self._real = real
        self._reads = reads

    def __getitem__(self, name: str) -> str:
        self._reads.variables.add(name)
        return self._real[name]

    def __setitem__(self, name: str, value: str) -> None:
        self._reads.volatile = True
        self._real[name] = value

    def __delitem__(self, name: str) -> None:
        self._reads.volatile = True
        del self._real[name]

    def __iter__(self) -> Iterator[str]:
        self._reads.volatile = True
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)

    def copy(self) -> dict[str, str]:
        return dict(self)


_active: Reads | None = None
_hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _active is not None:
        _active._event(event, arguments)  # noqa: SLF001  # this module's own


@contextlib.contextmanager
def recording() -> Iterator[Reads]:
    """Record the reads of all code that runs inside the block, in every thread."""
    global _active, _hooked  # noqa: PLW0603  # an audit hook is global and cannot be removed
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    reads = Reads()
    environ, stat = os.environ, os.stat

    def watched_stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        reads._path(path)  # noqa: SLF001 - `Reads` is of this module
        return stat(path, *args, **kwargs)

    os.environ = _Environ(environ, reads)  # type: ignore[assignment]  # noqa: B003  # put back below
    os.stat = watched_stat
    _active = reads
    try:
        yield reads
    finally:
        _active = None
        os.environ, os.stat = environ, stat
