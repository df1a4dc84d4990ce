"""Unfinished multipart uploads. They cost money, and no listing of objects shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.errors import CacheError

__all__ = ["Unfinished", "unfinished_uploads"]


@frozen(kw_only=True)
class Unfinished:
    """A multipart upload that was neither completed nor aborted.

    :param name: of the object that it would become.
    :param size: bytes of its parts so far.
    :param touched: the time when its last part arrived, or else when it began.
    """

    name: str
    size: int
    touched: datetime


def unfinished_uploads(bucket: Bucket) -> tuple[Unfinished, ...] | None:
    """All unfinished uploads of a cache.

    :param bucket: the cache.
    :returns: None when the credentials or the server do not allow the question
        (``s3:ListBucketMultipartUploads``).
    """
    try:
        pages = bucket.pages(
            "list unfinished uploads",
            bucket.client.list_multipart_uploads,
            {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"},
            Prefix=bucket.location.key(""),
        )
        return tuple(
            _with_parts(bucket, found) for page in pages for found in page.get("Uploads", ())
        )
    except CacheError:
        # Other requests were answered before: only this one is refused, and few readers may send
        # it.
        return None


def _with_parts(bucket: Bucket, found: Any) -> Unfinished:
    size, touched = 0, found["Initiated"]
    pages = bucket.pages(
        "list the parts of an upload",
        bucket.client.list_parts,
        {"PartNumberMarker": "NextPartNumberMarker"},
        Key=found["Key"],
        UploadId=found["UploadId"],
    )
    for page in pages:
        for part in page.get("Parts", ()):
            size += part["Size"]
            touched = max(touched, part["LastModified"])
    return Unfinished(name=found["Key"][len(bucket.location.key("")) :], size=size, touched=touched)
