"""Files that are whole or not there, whatever kills us."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from nixgen.errors import StoreError

__all__ = ["write_atomically"]


def write_atomically(file: Path, content: bytes) -> None:
    """Replace ``file`` in one step, creating its folder.

    :raises StoreError: the disk is full, read-only or not ours.
    """
    import tempfile  # slow to import, and a build with nothing to do writes nothing

    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, file)  # noqa: PTH105 - a str already
        temporary = None
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise StoreError(
            f"cannot write {file}: {error.strerror}",
            hint="free some space on that disk" if full else "make the folder writable",
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
