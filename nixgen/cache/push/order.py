"""The order of publication: a narinfo comes after its NAR and the narinfos of its references."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from nixgen.driver.store.store import PathInfo

__all__ = ["PublishOrder"]


class PublishOrder:
    """The paths that are not published yet, and what each one waits for. Thread-safe.

    :param missing: the paths to publish. Other paths are in the cache already, and none waits for
        them.
    """

    def __init__(self, missing: Sequence[PathInfo]) -> None:
        self._lock = threading.Lock()
        paths = {info.path for info in missing}
        # A path waits for its own NAR under its own name; a reference to itself adds nothing.
        self._waits = {
            info.path: {reference for reference in info.references if reference in paths}
            | {info.path}
            for info in missing
        }
        self._referrers: dict[str, list[str]] = {path: [] for path in paths}
        for path, waits in self._waits.items():
            for reference in waits - {path}:
                self._referrers[reference].append(path)

    def nar_stored(self, path: str) -> tuple[str, ...]:
        """Note that the NAR of a path is durable.

        :param path: the path.
        :returns: the paths whose narinfos may be written now.
        """
        with self._lock:
            return self._clear(path, (path,))

    def published(self, path: str) -> tuple[str, ...]:
        """Note that the narinfo of a path is durable.

        :param path: the path.
        :returns: the paths whose narinfos may be written now.
        """
        with self._lock:
            return self._clear(path, self._referrers[path])

    def _clear(self, path: str, waiting: Sequence[str]) -> tuple[str, ...]:
        ready = []
        for other in waiting:
            waits = self._waits[other]
            waits.discard(path)
            if not waits:
                ready.append(other)
        return tuple(ready)
