"""What the emulator of S3 that is installed here cannot do."""

from __future__ import annotations

from importlib.metadata import version

import pytest

__all__ = ["conditional_writes"]

_MOTO = version("moto")

conditional_writes = pytest.mark.skipif(
    tuple(map(int, _MOTO.split(".")[:3])) < (5, 1, 5),
    reason=f"moto {_MOTO} ignores If-Match of an upload; 5.1.5 is the first to heed it",
)
