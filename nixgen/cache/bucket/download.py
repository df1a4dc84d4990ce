"""Downloads of large objects, also over connections that break off."""

from __future__ import annotations

from collections.abc import Iterator

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.s3_errors import is_transient, s3_errors
from nixgen.errors import CacheError

__all__ = ["download"]

_ATTEMPTS = 6


def download(bucket: Bucket, name: str) -> Iterator[bytes]:
    """The bytes of an object. When the connection breaks, a range request continues at that byte.

    :param bucket: where the object is.
    :param name: of the object.
    :raises CacheError: the object is missing, is replaced while it is read, or the connection
        breaks several times in a row without a byte in between.
    """
    offset = failures = 0
    tag: str | None = None
    while True:
        found = bucket.get(name, byte_range=f"bytes={offset}-" if offset else None)
        if found is None or tag not in (None, found.etag):
            raise CacheError(
                f"{name} of {bucket.location} was {'removed' if found is None else 'replaced'} while it was read",
                hint="run it again",
            )
        tag = found.etag
        try:
            with s3_errors(bucket.location, f"read {name}"):
                try:
                    for chunk in found.chunks():
                        offset += len(chunk)
                        failures = 0
                        yield chunk
                except Exception as error:
                    failures += 1
                    if failures >= _ATTEMPTS or not is_transient(error):
                        raise
                else:
                    return
        finally:
            found.close()
