"""A cache's bucket, through boto3: whole objects, ranges, listings, conditional writes, and multipart uploads.

Everything else in `nixgen.cache` speaks in names inside the cache (``nar/….nar.zst``), never in S3 keys.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import field, frozen
from botocore.exceptions import ClientError

from nixgen import __version__
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.pace import Pace, PaceStatistics
from nixgen.cache.bucket.s3_errors import NOT_FOUND, PRECONDITION, error_code, s3_errors
from nixgen.errors import CacheError
from nixgen.store.digest import Hash

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, DeleteObjectsOutputTypeDef

__all__ = ["Bucket", "Download", "Multipart", "ObjectInfo"]

_READ = 1 << 18
_WRITE = 1 << 20

_Result = TypeVar("_Result")


@frozen(kw_only=True)
class ObjectInfo:
    """What a HEAD or a listing says.

    :param size: bytes.
    :param modified: by the server's clock, with time zone.
    :param etag: changes with the content; for conditional writes.
    :param metadata: the user's own, without the ``x-amz-meta-`` prefix; a listing does not tell it.
    """

    name: str
    size: int
    modified: datetime
    etag: str
    metadata: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Download:
    """An object, or a range of one, being read.

    :param size: bytes that `chunks` yields.
    :param content_range: the ``Content-Range`` of a partial answer; None for the whole object.
    """

    size: int
    content_range: str | None
    etag: str
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
    :param attempts: for each request that fails in a way that may pass; see `Pace`.

    Every method raises `CacheError` when S3 refuses or does not answer, after retries.
    """

    def __init__(
        self, location: CacheLocation, *, connections: int = 32, attempts: int = 6
    ) -> None:
        self.location = location
        self.connections = connections
        self._pace = Pace(connections, attempts)
        with s3_errors(location, "connect"):
            self.client = _client(location, connections)

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def statistics(self) -> PaceStatistics:
        """The requests so far."""
        return self._pace.statistics

    def request(self, doing: str, send: Callable[[], _Result]) -> _Result:
        """One request through `client`, at this bucket's pace, repeated when its failure may pass.

        :param doing: what is attempted; completes "cannot …".
        """
        with s3_errors(self.location, doing):
            return self._pace.run(send)

    def create(self) -> None:
        """Make the bucket, if it is not there and ours already."""

        def send() -> None:
            try:
                self.client.create_bucket(Bucket=self.location.bucket)
            except ClientError as error:
                if error_code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        self.request("create the bucket", send)

    def clock(self) -> datetime:
        """What time it is by the server, whose clock also dates `ObjectInfo.modified`; whole seconds."""
        answer = self.request(
            "ask for the time",
            lambda: self.client.list_objects_v2(
                Bucket=self.location.bucket, Prefix=self.location.key("nix-cache-info"), MaxKeys=1
            ),
        )
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def head(self, name: str) -> ObjectInfo | None:
        """None when there is no such object."""
        found = self._unless_missing(
            f"look for {name}", lambda: self.client.head_object(**self._object(name))
        )
        return found and ObjectInfo(
            name=name,
            size=found["ContentLength"],
            modified=found["LastModified"],
            etag=found["ETag"],
            metadata=found["Metadata"],
        )

    def get(self, name: str, *, byte_range: str | None = None) -> Download | None:
        """Open an object; None when there is none. The caller closes it.

        :param byte_range: the value of a ``Range`` header, such as ``bytes=0-99``.
        """
        extra: dict[str, Any] = {} if byte_range is None else {"Range": byte_range}
        found = self._unless_missing(
            f"read {name}", lambda: self.client.get_object(**self._object(name), **extra)
        )
        return found and Download(
            size=found["ContentLength"],
            content_range=found.get("ContentRange"),
            etag=found["ETag"],
            body=found["Body"],
        )

    def read(self, name: str) -> bytes | None:
        """A small object as a whole; None when there is none."""
        found = self.read_tagged(name)
        return None if found is None else found[0]

    def read_tagged(self, name: str) -> tuple[bytes, str] | None:
        """A small object and its tag, for `put` with ``if_match``; None when there is none."""

        def send() -> tuple[bytes, str]:
            found = self.client.get_object(**self._object(name))
            try:
                # Inside the request, so that a body that breaks off is read again.
                return found["Body"].read(), found["ETag"]
            finally:
                found["Body"].close()

        return self._unless_missing(f"read {name}", send)

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Small objects by name, `connections` at a time, in the given order; None for those that are not there."""
        with ThreadPoolExecutor(self.connections, thread_name_prefix="cache-get") as pool:
            for batch in _batches(names, 64 * self.connections):
                yield from zip(batch, pool.map(self.read, batch), strict=True)

    def objects(
        self, prefix: str = "", *, after: str = "", flat: bool = False
    ) -> Iterator[ObjectInfo]:
        """Every object whose name starts with ``prefix``, sorted by name; a thousand per request.

        :param after: only names that sort behind it.
        :param flat: not those with a slash behind the prefix.
        """
        cut = len(self.location.key(""))
        token: dict[str, Any] = {"Delimiter": "/"} if flat else {}
        if after:
            token["StartAfter"] = self.location.key(after)
        while True:
            page = self.request(
                "list the objects",
                lambda token=token: self.client.list_objects_v2(  # type: ignore[misc]
                    Bucket=self.location.bucket, Prefix=self.location.key(prefix), **token
                ),
            )
            for found in page.get("Contents", ()):
                yield ObjectInfo(
                    name=found["Key"][cut:],
                    size=found["Size"],
                    modified=found["LastModified"],
                    etag=found["ETag"],
                )
            if not page["IsTruncated"]:
                return
            token.pop("StartAfter", None)
            token["ContinuationToken"] = page["NextContinuationToken"]

    def names(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """As `objects`, the names alone."""
        return (found.name for found in self.objects(prefix, after=after))

    def put(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str,
        digest: Hash | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> bool:
        """Store one object, atomically; an older one of that name is replaced.

        :param digest: SHA-256 of ``body`` when known: the server then checks what arrives.
        :param if_absent: only when there is no object of that name.
        :param if_match: only when the object of that name has this tag.
        :returns: False when the condition did not hold, and nothing was written.
        """
        extra: dict[str, Any] = {}
        if digest is not None:
            extra["ChecksumSHA256"] = base64.b64encode(digest.digest).decode("ascii")
        if if_absent:
            extra["IfNoneMatch"] = "*"
        if if_match is not None:
            extra["IfMatch"] = if_match

        def send() -> bool:
            try:
                self.client.put_object(
                    **self._object(name),
                    # botocore copies bytes into a bytearray for an Expect header; a file it sends as it is.
                    Body=_Body(body),
                    ContentLength=len(body),
                    ContentType=content_type,
                    Metadata=dict(metadata or {}),
                    **extra,
                )
            except ClientError as error:
                code = error_code(error)
                if code in PRECONDITION or (if_match is not None and code in NOT_FOUND):
                    return False
                raise
            return True

        return self.request(f"write {name}", send)

    def delete(self, names: Iterable[str], *, guard: Callable[[], None] | None = None) -> None:
        """Remove objects, a thousand per request; those that are not there are fine.

        :param guard: is called right before each attempt, repeated ones too, and raises to prevent it.
        :raises CacheError: also when only some could not be removed.
        """

        def send(batch: tuple[str, ...]) -> DeleteObjectsOutputTypeDef:
            if guard is not None:
                guard()
            return self.client.delete_objects(
                Bucket=self.location.bucket,
                Delete={
                    "Objects": [{"Key": self.location.key(name)} for name in batch],
                    "Quiet": True,
                },
            )

        for batch in _batches(names, 1000):
            answer = self.request(f"delete {batch[0]}", lambda batch=batch: send(batch))  # type: ignore[misc]
            if failed := answer.get("Errors"):
                first = failed[0]
                raise CacheError(
                    f"cannot delete {len(failed)} objects of {self.location}:"
                    f" {first.get('Key')}: {first.get('Code')} {first.get('Message')}",
                    hint="a collector needs s3:DeleteObject",
                )

    def multipart(self, name: str, *, content_type: str) -> Multipart:
        """Begin an upload in parts; nothing is visible before `Multipart.complete`."""
        begun = self.request(
            f"write {name}",
            lambda: self.client.create_multipart_upload(
                **self._object(name), ContentType=content_type
            ),
        )
        return Multipart(bucket=self, name=name, upload_id=begun["UploadId"])

    def _unless_missing(self, doing: str, send: Callable[[], _Result]) -> _Result | None:
        def guarded() -> _Result | None:
            try:
                return send()
            except ClientError as error:
                if error_code(error) in NOT_FOUND:
                    return None
                raise

        return self.request(doing, guarded)

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
        answer = self._bucket.request(
            f"write {self.name}",
            lambda: self._bucket.client.upload_part(
                **self._arguments(),
                PartNumber=number,
                Body=_Body(body),
                ContentLength=len(body),
            ),
        )
        return answer["ETag"]

    def complete(self, tags: list[str], *, if_absent: bool = False) -> bool:
        """Make the object visible.

        :param tags: of all parts, in order.
        :param if_absent: only when there is no object of that name.
        :returns: False when there was one; the parts are still there, to `abort`.
        """
        parts: list[CompletedPartTypeDef] = [
            {"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, start=1)
        ]
        extra: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {}

        def send() -> str:
            try:
                self._bucket.client.complete_multipart_upload(
                    **self._arguments(), MultipartUpload={"Parts": parts}, **extra
                )
            except ClientError as error:
                code = error_code(error)
                if code in PRECONDITION or code == "NoSuchUpload":
                    return code
                raise
            return ""

        refused = self._bucket.request(f"write {self.name}", send)
        # An unknown upload is complete when the answer to an earlier attempt was lost on its way.
        if refused == "NoSuchUpload" and self._bucket.head(self.name) is None:
            raise CacheError(
                f"cannot write {self.name} in {self._bucket.location}: the upload was aborted by another",
                hint="run it again; what was stored is not uploaded twice",
            )
        return refused not in PRECONDITION

    def abort(self) -> None:
        """Drop the parts; no part may be on its way any more."""
        self._bucket.request(
            f"abort the upload of {self.name}",
            lambda: self._bucket.client.abort_multipart_upload(**self._arguments()),
        )

    def _arguments(self) -> dict[str, Any]:
        return {**self._bucket._object(self.name), "UploadId": self._upload_id}  # noqa: SLF001


class _Body(io.BytesIO):
    """Bytes that go out a megabyte at a time: http.client asks for 16 KiB, and gives up the interpreter's lock after each."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else max(size, _WRITE))


def _batches(names: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    rest = iter(names)
    while batch := tuple(islice(rest, size)):
        yield batch


def _client(location: CacheLocation, connections: int) -> S3Client:
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
            # Else it is put together anew for every request.
            user_agent=f"nixgen/{__version__}",
            # `Pace` repeats requests: botocore's own way knows no Retry-After and no other thread.
            retries={"mode": "standard", "total_max_attempts": 1},
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
