"""The S3 bucket of a cache, through boto3: objects, ranges, listings, conditional writes, and
multipart uploads.

Everything else in `nixgen.cache` uses names inside the cache (``nar/….nar.zst``), never S3 keys.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from attrs import field, frozen
from botocore.exceptions import ClientError

from nixgen import __version__
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.pace import Pace, PaceStatistics
from nixgen.cache.bucket.s3_errors import NOT_FOUND, PRECONDITION, error_code, s3_errors
from nixgen.cache.format.names import CACHE_INFO, content_type
from nixgen.errors import CacheError, counted
from nixgen.store.digest import Hash

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, DeleteObjectsOutputTypeDef

__all__ = ["Bucket", "Download", "Multipart", "ObjectInfo"]

_READ = 1 << 18
_WRITE = 1 << 20

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@frozen(kw_only=True)
class ObjectInfo:
    """The properties of an object, from a HEAD request or a listing.

    :param name: inside the cache.
    :param size: bytes.
    :param modified: the time of writing, by the server's clock.
    :param etag: a tag that changes with the content; for conditional writes.
    :param metadata: the values that `Bucket.put` was given; a listing leaves them out.
    """

    name: str
    size: int
    modified: datetime
    etag: str
    metadata: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Download:
    """An object, or a range of one, that is being read.

    :param size: the bytes that `chunks` yields.
    :param content_range: the ``Content-Range`` of a partial answer; None for the whole object.
    :param etag: the object's tag.
    """

    size: int
    content_range: str | None
    etag: str
    _body: Any

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces, as they arrive."""
        while chunk := self._body.read(_READ):
            yield chunk

    def close(self) -> None:
        """Release the connection; unread bytes are dropped."""
        self._body.close()


class Bucket:
    """The objects of a cache. Safe to use from many threads.

    Every method raises `CacheError` when S3 refuses or does not answer, after retries.

    :param location: where the bucket is.
    :param connections: how many requests may run at once; callers must not use more threads.
    :param attempts: how often a request is sent when its failure is temporary; see `Pace`.
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
        """Close all connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def statistics(self) -> PaceStatistics:
        """The number of requests so far."""
        return self._pace.statistics

    def request(
        self,
        doing: str,
        send: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Send one request at this bucket's pace, and again when its failure is temporary.

        :param doing: the attempted action; completes "cannot …" in the error message.
        :param send: a method of `client`, or a function that calls one.
        :param args: given to ``send``.
        :param kwargs: given to ``send``.
        """
        with s3_errors(self.location, doing):
            return self._pace.run(lambda: send(*args, **kwargs))

    def create(self) -> None:
        """Create the bucket, unless it exists."""

        def send() -> None:
            try:
                self.client.create_bucket(Bucket=self.location.bucket)
            except ClientError as error:
                if error_code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        self.request("create the bucket", send)

    def clock(self) -> datetime:
        """The server's time, in whole seconds. Its clock also dates `ObjectInfo.modified`."""
        answer = self.request(
            "ask for the time",
            self.client.list_objects_v2,
            Bucket=self.location.bucket,
            Prefix=self.location.key(CACHE_INFO),
            MaxKeys=1,
        )
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def head(self, name: str) -> ObjectInfo | None:
        """Look for an object; None when there is none of that name.

        :param name: of the object.
        """
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
        """Open an object for reading; None when there is none. The caller closes it.

        :param name: of the object.
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
        """Read a small object as a whole; None when there is none.

        :param name: of the object.
        """
        found = self.read_tagged(name)
        return None if found is None else found[0]

    def read_tagged(self, name: str) -> tuple[bytes, str] | None:
        """Read a small object and its tag, for `put` with ``if_match``; None when there is none.

        :param name: of the object.
        """

        def send() -> tuple[bytes, str]:
            found = self.client.get_object(**self._object(name))
            try:
                # Inside the request, so that a body that breaks off is read again.
                return found["Body"].read(), found["ETag"]
            finally:
                found["Body"].close()

        return self._unless_missing(f"read {name}", send)

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Read small objects, as many at once as there are `connections`.

        :param names: of the objects.
        :returns: (name, content) in the given order; the content is None for a missing object.
        """
        with ThreadPoolExecutor(self.connections, thread_name_prefix="cache-get") as pool:
            for batch in _batches(names, 64 * self.connections):
                yield from zip(batch, pool.map(self.read, batch), strict=True)

    def pages(
        self, doing: str, send: Callable[..., Any], following: Mapping[str, str], **arguments: Any
    ) -> Iterator[Any]:
        """Ask for a list, with one request for each of its pages.

        :param doing: the attempted action; see `request`.
        :param send: a method of `client` that lists something.
        :param following: the arguments of the request for the next page, and the member of a page
            that each is taken from.
        :param arguments: given to ``send``, beside the bucket's name.
        """
        while True:
            page = self.request(doing, send, Bucket=self.location.bucket, **arguments)
            yield page
            if not page["IsTruncated"]:
                return
            arguments |= {name: page[member] for name, member in following.items()}

    def objects(
        self, prefix: str = "", *, after: str = "", flat: bool = False
    ) -> Iterator[ObjectInfo]:
        """List objects, sorted by name; one request lists a thousand.

        :param prefix: of their names.
        :param after: list only names that sort behind this one.
        :param flat: leave out names with a slash behind the prefix.
        """
        cut = len(self.location.key(""))
        arguments: dict[str, Any] = {"Delimiter": "/"} if flat else {}
        if after:
            arguments["StartAfter"] = self.location.key(after)
        pages = self.pages(
            "list the objects",
            self.client.list_objects_v2,
            {"ContinuationToken": "NextContinuationToken"},
            Prefix=self.location.key(prefix),
            **arguments,
        )
        for page in pages:
            for found in page.get("Contents", ()):
                yield ObjectInfo(
                    name=found["Key"][cut:],
                    size=found["Size"],
                    modified=found["LastModified"],
                    etag=found["ETag"],
                )

    def names(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """List only the names of objects; see `objects`.

        :param prefix: of the names.
        :param after: list only names that sort behind this one.
        """
        return (found.name for found in self.objects(prefix, after=after))

    def put(
        self,
        name: str,
        body: bytes,
        *,
        digest: Hash | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> bool:
        """Store one object, atomically; an older object of that name is replaced.

        :param name: of the object.
        :param body: its content.
        :param digest: SHA-256 of ``body``, if known: the server then verifies what arrives.
        :param metadata: values to keep with the object; `head` returns them.
        :param if_absent: write only when there is no object of that name.
        :param if_match: write only when the object of that name has this tag.
        :returns: False when the condition did not hold and nothing was written.
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
                    # botocore copies bytes for an Expect header; it sends a file as it is.
                    Body=_Body(body),
                    ContentLength=len(body),
                    ContentType=content_type(name),
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
        """Remove objects, a thousand per request. An object that is missing is no error.

        :param names: of the objects.
        :param guard: called right before each attempt, also a repeated one; it raises to prevent
            it.
        :raises CacheError: also when only some objects could not be removed.
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
            answer = self.request(f"delete {batch[0]}", send, batch)
            if failed := answer.get("Errors"):
                first = failed[0]
                raise CacheError(
                    f"cannot delete {counted(len(failed), 'object')} of {self.location}:"
                    f" {first.get('Key')}: {first.get('Code')} {first.get('Message')}",
                    hint="a collector needs s3:DeleteObject",
                )

    def multipart(self, name: str) -> Multipart:
        """Begin an upload in parts; the object is not visible before `Multipart.complete`.

        :param name: of the object.
        """
        begun = self.request(
            f"write {name}",
            self.client.create_multipart_upload,
            **self._object(name),
            ContentType=content_type(name),
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
    """An object that is being uploaded in parts, in any order and from any thread.

    :param bucket: the object's bucket.
    :param name: of the object.
    :param upload_id: S3's name for the upload.
    """

    _bucket: Bucket
    name: str
    _upload_id: str

    def put(self, number: int, body: bytes) -> str:
        """Upload one part.

        :param number: from 1.
        :param body: its content.
        :returns: its tag, for `complete`.
        """
        answer = self._bucket.request(
            f"write {self.name}",
            # The body is made anew for each attempt.
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
        :returns: False when there was an object of that name; the upload is then still to `abort`.
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
        """Drop the parts. No part may be in transit any more."""
        self._bucket.request(
            f"abort the upload of {self.name}",
            self._bucket.client.abort_multipart_upload,
            **self._arguments(),
        )

    def _arguments(self) -> dict[str, Any]:
        return {**self._bucket._object(self.name), "UploadId": self._upload_id}  # noqa: SLF001 - the upload is the bucket's other half


class _Body(io.BytesIO):
    """A request body that is sent a megabyte at a time.

    http.client asks for 16 KiB, and releases the interpreter's lock after each piece.
    """

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
            # Signing a body hashes it once more, 29 ms for 8 MiB. NARs are sent with a checksum
            # that we have already, and narinfos are signed with our own key.
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
