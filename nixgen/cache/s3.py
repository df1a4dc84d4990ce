"""A cache's bucket, through boto3: whole objects, ranges, and multipart uploads.

Everything else in `nixgen.cache` speaks in names inside the cache (``nar/….nar.zst``), never in S3 keys.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from botocore.exceptions import ClientError

from nixgen.cache.faults import NOT_FOUND, error_code, s3_errors
from nixgen.cache.hashes import Hash
from nixgen.cache.location import CacheLocation

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

__all__ = ["Bucket", "Download", "Multipart", "ObjectInfo"]

_READ = 1 << 18


@frozen(kw_only=True)
class ObjectInfo:
    """What a HEAD says.

    :param size: bytes.
    :param metadata: the user's own, without the ``x-amz-meta-`` prefix.
    """

    size: int
    metadata: Mapping[str, str]


@frozen(kw_only=True)
class Download:
    """An object, or a range of one, being read.

    :param size: bytes that `chunks` yields.
    :param content_range: the ``Content-Range`` of a partial answer; None for the whole object.
    """

    size: int
    content_range: str | None
    _body: Any

    def chunks(self) -> Iterator[bytes]:
        """The bytes, as they come."""
        while chunk := self._body.read(_READ):
            yield chunk

    def close(self) -> None:
        """Give the connection back; unread bytes are dropped."""
        self._body.close()


class Bucket:
    """The objects under one `CacheLocation`. Safe to use from many threads.

    :param connections: how many requests may run at once; callers must not use more threads.
    :param attempts: for each request that fails in a way that may pass; with growing pauses between.

    Every method raises `CacheError` when S3 refuses or does not answer, after retries.
    """

    def __init__(
        self, location: CacheLocation, *, connections: int = 32, attempts: int = 5
    ) -> None:
        self.location = location
        self.connections = connections
        with s3_errors(location, "connect"):
            self._client = _client(location, connections, attempts)

    def close(self) -> None:
        self._client.close()

    def create(self) -> None:
        """Make the bucket, if it is not there and ours already."""
        with s3_errors(self.location, "create the bucket"):
            try:
                self._client.create_bucket(Bucket=self.location.bucket)
            except ClientError as error:
                if error_code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

    def head(self, name: str) -> ObjectInfo | None:
        """None when there is no such object."""
        with s3_errors(self.location, f"look for {name}"):
            try:
                found = self._client.head_object(**self._object(name))
            except ClientError as error:
                if error_code(error) in NOT_FOUND:
                    return None
                raise
        return ObjectInfo(size=found["ContentLength"], metadata=found["Metadata"])

    def get(self, name: str, *, byte_range: str | None = None) -> Download | None:
        """Open an object; None when there is none. The caller closes it.

        :param byte_range: the value of a ``Range`` header, such as ``bytes=0-99``.
        """
        with s3_errors(self.location, f"read {name}"):
            extra: dict[str, Any] = {} if byte_range is None else {"Range": byte_range}
            try:
                found = self._client.get_object(**self._object(name), **extra)
            except ClientError as error:
                if error_code(error) in NOT_FOUND:
                    return None
                raise
        return Download(
            size=found["ContentLength"],
            content_range=found.get("ContentRange"),
            body=found["Body"],
        )

    def read(self, name: str) -> bytes | None:
        """A small object as a whole; None when there is none."""
        download = self.get(name)
        if download is None:
            return None
        try:
            with s3_errors(self.location, f"read {name}"):
                return b"".join(download.chunks())
        finally:
            download.close()

    def names(self, prefix: str = "") -> Iterator[str]:
        """Every object's name that starts with ``prefix``, sorted; a thousand per request."""
        cut = len(self.location.key(""))
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.location.bucket, Prefix=self.location.key(prefix)
        )
        with s3_errors(self.location, "list the objects"):
            for page in pages:
                yield from (found["Key"][cut:] for found in page.get("Contents", ()))

    def put(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str,
        digest: Hash | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store one object, atomically; an older one of that name is replaced.

        :param digest: SHA-256 of ``body`` when known: the server then checks what arrives.
        """
        extra: dict[str, Any] = {}
        if digest is not None:
            extra["ChecksumSHA256"] = base64.b64encode(digest.digest).decode("ascii")
        with s3_errors(self.location, f"write {name}"):
            self._client.put_object(
                **self._object(name),
                # botocore copies bytes into a bytearray for an Expect header; a file it sends as it is.
                Body=io.BytesIO(body),
                ContentLength=len(body),
                ContentType=content_type,
                Metadata=dict(metadata or {}),
                **extra,
            )

    def multipart(self, name: str, *, content_type: str) -> Multipart:
        """Begin an upload in parts; nothing is visible before `Multipart.complete`."""
        with s3_errors(self.location, f"write {name}"):
            begun = self._client.create_multipart_upload(
                **self._object(name), ContentType=content_type
            )
        return Multipart(bucket=self, name=name, upload_id=begun["UploadId"])

    def _object(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.location.bucket, "Key": self.location.key(name)}


@frozen(kw_only=True)
class Multipart:
    """An object that is being uploaded in parts, in any order and from any thread."""

    _bucket: Bucket
    name: str
    _upload_id: str

    def put(self, number: int, body: bytes) -> str:
        """Upload part ``number`` (from 1); its tag, for `complete`."""
        with s3_errors(self._bucket.location, f"write {self.name}"):
            answer = self._bucket._client.upload_part(  # noqa: SLF001
                **self._arguments(),
                PartNumber=number,
                Body=io.BytesIO(body),
                ContentLength=len(body),
            )
        return answer["ETag"]

    def complete(self, tags: list[str]) -> None:
        """Make the object visible.

        :param tags: of all parts, in order.
        """
        parts: list[CompletedPartTypeDef] = [
            {"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, start=1)
        ]
        with s3_errors(self._bucket.location, f"write {self.name}"):
            self._bucket._client.complete_multipart_upload(  # noqa: SLF001
                **self._arguments(), MultipartUpload={"Parts": parts}
            )

    def abort(self) -> None:
        """Drop the parts; no part may be on its way any more."""
        with s3_errors(self._bucket.location, f"abort the upload of {self.name}"):
            self._bucket._client.abort_multipart_upload(**self._arguments())  # noqa: SLF001

    def _arguments(self) -> dict[str, Any]:
        return {**self._bucket._object(self.name), "UploadId": self._upload_id}  # noqa: SLF001


def _client(location: CacheLocation, connections: int, attempts: int) -> S3Client:
    import boto3
    from botocore.config import Config
    from botocore.handlers import add_expect_header

    # The emulator reads no credentials, but botocore will not sign without some.
    credentials: dict[str, Any] = (
        {"aws_access_key_id": "emulator", "aws_secret_access_key": "emulator"}
        if location.emulator
        else {}
    )
    session = boto3.Session(
        profile_name=location.profile, region_name=location.region, **credentials
    )
    client: S3Client = session.client(
        "s3",
        endpoint_url=location.endpoint,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # Signing a body hashes it once more, 29 ms for 8 MiB; where it matters a checksum we
            # have already goes along, and narinfos are signed with our own key.
            s3={
                "addressing_style": "path" if location.path_style else "auto",
                "payload_signing_enabled": False,
            },
            # By default botocore adds CRC trailers, which many other S3 servers refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    # A server that ignores `Expect: 100-continue` costs a second per PUT.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client
