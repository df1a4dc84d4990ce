"""The order in which narinfos appear: each after its NAR and after the narinfos of its references."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from nixgen.driver.store.store import PathInfo

__all__ = ["PublishOrder"]


class PublishOrder:
    """What every unpublished path still waits for. Thread-safe.

    Paths outside ``missing`` are in the cache already and hold nobody up.
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
        """The paths whose narinfo may be written now that the NAR of ``path`` is durable."""
        with self._lock:
            return self._clear(path, (path,))

    def published(self, path: str) -> tuple[str, ...]:
        """The paths whose narinfo may be written now that the narinfo of ``path`` is durable."""
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
