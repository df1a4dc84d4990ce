#!/usr/bin/env python3
"""A store on loopback that accepts everything nixgen and Nix send a binary cache, and fails as it is told.

usage: bench/store_server.py [--discard-nars] [--latency MS] [--bucket NAME]…

Any path ``/bucket/key`` is an object, for the S3 protocol (path style; no signature is checked) and for plain HTTP alike, so both
`nixgen cache push` and `nix copy --to http://…` meet the same program. It prints its port, and ends when standard input closes.
One thread a connection, bodies received into one buffer: it takes bodies faster than any client here compresses them.

Below ``/-/`` it is steered; these requests are neither counted nor delayed:

- ``GET /-/state``: ``{"requests": {method: n}, "log": [[method, target, status]], "received": bytes}``, once nothing is under way.
- ``GET /-/objects/BUCKET``: ``{key: {"size": n, "sha256": hex | null, "text": … | null}}``; text of small objects.
- ``POST /-/configure``: a JSON object of the fields of `Settings` to change; ``"forget": true`` also drops counts and log, ``"clear": true``
  these and the objects.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

_BUFFER = 1 << 18
_PAGE = 1000
_SMALL = 1 << 16
_METADATA = "x-amz-meta-"


@dataclass(frozen=True)
class Faults:
    """What goes wrong, and how often. Probabilities are for each request, at most one fault for each; which request
    meets which is decided by the seed, the request and how often it came before, never by the order of threads.

    :param error: 500, nothing is done.
    :param throttle: 503 or 429 with ``Retry-After``, nothing is done.
    :param reset: the connection is reset before the body is read.
    :param lost: all is done, then the connection is reset instead of an answer.
    :param truncated: the answer breaks off in the middle of its body; for one without body as ``lost``.
    :param slow: the answer takes ``slow_seconds`` more.
    :param only: a regular expression; requests whose ``METHOD target`` it does not match meet no fault.
    :param first: only the first so many times that the same request comes; 0 for every time.
    """

    seed: int = 0
    only: str = ""
    first: int = 0
    error: float = 0.0
    throttle: float = 0.0
    reset: float = 0.0
    lost: float = 0.0
    truncated: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 0.2
    retry_after: int = 0

    KINDS = ("error", "throttle", "reset", "lost", "truncated", "slow")

    def of(self, request: str, times: int) -> str:
        """The fault that a request meets when it comes for the ``times``th time; empty for none."""
        if not re.match(self.only, request) or 0 < self.first < times:
            return ""
        drawn = random.Random(f"{self.seed} {request} {times}").random()
        for kind in self.KINDS:
            drawn -= getattr(self, kind)
            if drawn < 0:
                return kind
        return ""


@dataclass(frozen=True)
class Refusal:
    """The answer to every request of some methods.

    :param methods: all when empty.
    """

    status: int
    code: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kill:
    """A client that dies by SIGKILL while its request number ``request`` (from 1) is handled.

    :param moment: ``before`` anything of the request is done, with half of its ``body`` received, or ``after`` it was done, unanswered.
    """

    pid: int
    request: int
    moment: str = "before"


@dataclass(frozen=True)
class Settings:
    """:param latency: seconds that every answer takes longer."""

    latency: float = 0.0
    discard_nars: bool = False
    faults: Faults | None = None
    refusal: Refusal | None = None
    kill: Kill | None = None


@dataclass(frozen=True)
class Stored:
    body: bytearray | None
    size: int
    etag: str
    modified: float
    headers: dict[str, str]


@dataclass
class Bucket:
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[int, Stored], dict[str, str]]] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    order: list[str] | None = None  # sorted names; None when they have changed


class ResetConnection(Exception):  # noqa: N818 - an event, not an error of this program
    """Nothing more is sent, and the client learns at once."""


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    length: int

    @property
    def kept_headers(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.headers.items()
            if name == "content-type" or name.startswith(_METADATA)
        }


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | bytearray | memoryview = b""
    length: int | None = None  # of a HEAD


def refuse(status: int, code: str, **headers: str) -> Answer:
    text = f"<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>"
    return Answer(status, {"content-type": "application/xml", **headers}, text.encode())


def document(name: str, content: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
    return Answer(200, {"content-type": "application/xml"}, text.encode())


class Store:
    """The buckets, what was asked, and what goes wrong. Shared by all connections."""

    def __init__(self, settings: Settings, buckets: list[str]) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.idle = threading.Condition(self.lock)
        self.names = buckets
        self.under_way = 0
        self.clear()

    def clear(self) -> None:
        self.buckets = {name: Bucket() for name in self.names}
        self.tags = 0
        self.forget()

    def forget(self) -> None:
        self.counts: dict[str, int] = {}
        self.log: list[tuple[str, str, int]] = []
        self.times: dict[str, int] = {}
        self.received = 0
        self.injected: dict[str, int] = {}

    # What a request meets before it is handled.

    def begin(self, request: Request) -> tuple[str, int]:
        """Count it: its fault, and its number."""
        with self.lock:
            self.under_way += 1
            self.counts[request.method] = self.counts.get(request.method, 0) + 1
            number = sum(self.counts.values())
            # A lease is named by the clock and at random, and would meet another fault in every run.
            name = re.sub(r"/leases/[^?]*", "/leases/", f"{request.method} {request.target}")
            times = self.times[name] = self.times.get(name, 0) + 1
            faults = self.settings.faults
            fault = faults.of(name, times) if faults else ""
            if fault:
                self.injected[fault] = self.injected.get(fault, 0) + 1
        return fault, number

    def end(self, request: Request, status: int) -> None:
        with self.lock:
            self.under_way -= 1
            self.received += request.length
            self.log.append((request.method, request.target, status))
            self.idle.notify_all()

    # Steering.

    def steer(self, request: Request, body: bytes) -> Answer:
        what, _, rest = request.key.partition("/")
        if what == "configure":
            with self.lock:
                self.configure(json.loads(body))
            return Answer()
        with self.lock:
            self.idle.wait_for(lambda: self.under_way == 0, timeout=30)
            if what == "state":
                return self.json(
                    requests=self.counts,
                    log=self.log,
                    received=self.received,
                    injected=self.injected,
                )
            if what == "objects" and rest in self.buckets:
                return self.json(
                    **{
                        key: {
                            "size": found.size,
                            "sha256": None
                            if found.body is None
                            else hashlib.sha256(found.body).hexdigest(),
                            "text": found.body.decode("utf-8", "replace")
                            if found.body is not None and found.size < _SMALL
                            else None,
                        }
                        for key, found in self.buckets[rest].objects.items()
                    }
                )
        return refuse(404, "NoSuchKey")

    def configure(self, change: dict[str, Any]) -> None:
        if change.pop("forget", False):
            self.forget()
        if change.pop("clear", False):
            self.clear()
        kinds = {"faults": Faults, "refusal": Refusal, "kill": Kill}
        for name, kind in kinds.items():
            if change.get(name) is not None:
                change[name] = kind(**change[name])
        self.settings = replace(self.settings, **change)

    @staticmethod
    def json(**values: Any) -> Answer:
        return Answer(200, {"content-type": "application/json"}, json.dumps(values).encode())

    # Objects.

    def tag(self) -> str:
        self.tags += 1
        return f'"{self.tags:032x}"'

    def handle(self, request: Request, body: bytearray | None) -> Answer:
        """What the request asks for; under the lock."""
        if not request.key:
            return self.bucket(request, body)
        bucket = self.buckets.get(request.bucket)
        if bucket is None:
            return refuse(404, "NoSuchBucket")
        match request.method:
            case "GET" | "HEAD":
                return self.get(request, bucket)
            case "PUT" if "uploadId" in request.query:
                return self.put_part(request, bucket, body)
            case "PUT":
                stored = self.stored(request, body)
                return self.store(request, bucket, stored)
            case "POST" if "uploads" in request.query:
                number = bucket.begun[request.key] = bucket.begun.get(request.key, 0) + 1
                upload = hashlib.sha256(f"{request.key} {number}".encode()).hexdigest()[:32]
                bucket.uploads[upload] = (request.key, {}, request.kept_headers)
                return document(
                    "InitiateMultipartUploadResult",
                    f"<Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key>"
                    f"<UploadId>{upload}</UploadId>",
                )
            case "POST" if "uploadId" in request.query:
                return self.complete(request, bucket, body)
            case "DELETE" if "uploadId" in request.query:
                gone = bucket.uploads.pop(request.query["uploadId"], None)
                return Answer(204) if gone else refuse(404, "NoSuchUpload")
            case "DELETE":
                if bucket.objects.pop(request.key, None):
                    bucket.order = None
                return Answer(204)
        return refuse(501, "NotImplemented")

    def bucket(self, request: Request, body: bytearray | None) -> Answer:
        if request.method == "PUT" and not request.query:
            if request.bucket in self.buckets:
                return refuse(409, "BucketAlreadyOwnedByYou")
            self.buckets[request.bucket] = Bucket()
            return Answer()
        bucket = self.buckets.get(request.bucket)
        if bucket is None:
            return refuse(404, "NoSuchBucket")
        if request.method == "HEAD":
            return Answer()
        if request.method == "GET" and request.query.get("list-type") == "2":
            return self.listing(request, bucket)
        if request.method == "GET" and "uploads" in request.query:
            begun = "".join(
                f"<Upload><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"
                f"<Initiated>{iso(time.time())}</Initiated></Upload>"
                for upload, (key, _, _) in bucket.uploads.items()
            )
            return document(
                "ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{begun}"
            )
        if request.method == "POST" and "delete" in request.query:
            for key in re.findall(r"<Key>(.*?)</Key>", bytes(body or b"").decode()):
                bucket.objects.pop(unescape(key), None)
            bucket.order = None
            return document("DeleteResult", "")
        return refuse(501, "NotImplemented")

    def listing(self, request: Request, bucket: Bucket) -> Answer:
        query = request.query
        if bucket.order is None:
            bucket.order = sorted(bucket.objects)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        most = min(_PAGE, int(query.get("max-keys", _PAGE)))
        contents: list[str] = []
        groups: list[str] = []
        last = ""
        truncated = False
        for name in bucket.order[bisect_right(bucket.order, after) :]:
            if not name.startswith(prefix):
                continue
            group, found, _ = (
                name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            )
            if found and (
                groups[-1:] == [prefix + group + found] or after.startswith(prefix + group + found)
            ):
                continue
            if len(contents) + len(groups) == most:
                truncated = True
                break
            if found:
                last = prefix + group + found
                groups.append(last)
            else:
                last = name
                contents.append(name)

        def text(name: str) -> str:
            return quote(name) if query.get("encoding-type") == "url" else escape(name)

        listed = "".join(
            f"<Contents><Key>{text(name)}</Key>"
            f"<LastModified>{iso(bucket.objects[name].modified)}</LastModified>"
            f"<ETag>{escape(bucket.objects[name].etag)}</ETag><Size>{bucket.objects[name].size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for name in contents
        ) + "".join(
            f"<CommonPrefixes><Prefix>{text(name)}</Prefix></CommonPrefixes>" for name in groups
        )
        encoding = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
        token = (
            f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if truncated else ""
        )
        return document(
            "ListBucketResult",
            f"<Name>{request.bucket}</Name><Prefix>{text(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>"
            f"<KeyCount>{len(contents) + len(groups)}</KeyCount>"
            f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>{encoding}{token}{listed}",
        )

    def get(self, request: Request, bucket: Bucket) -> Answer:
        found = bucket.objects.get(request.key)
        if found is None:
            return refuse(404, "NoSuchKey")
        headers = {
            "etag": found.etag,
            "last-modified": formatdate(found.modified, usegmt=True),
            "accept-ranges": "bytes",
            **found.headers,
        }
        if request.method == "HEAD":
            return Answer(200, headers, length=found.size)
        if found.body is None:
            return refuse(500, "BodyWasDiscarded")
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if wanted is None or wanted.groups() == ("", ""):
            return Answer(200, headers, found.body)
        first, last = wanted.groups()
        start = int(first) if first else max(0, found.size - int(last))
        end = min(found.size - 1, int(last)) if first and last else found.size - 1
        if start > end:
            return refuse(416, "InvalidRange")
        headers["content-range"] = f"bytes {start}-{end}/{found.size}"
        return Answer(206, headers, memoryview(found.body)[start : end + 1])

    def stored(self, request: Request, body: bytearray | None) -> Stored:
        return Stored(body, request.length, self.tag(), time.time(), request.kept_headers)

    def store(self, request: Request, bucket: Bucket, stored: Stored) -> Answer:
        """With its condition (RFC 9110, 13.1), as S3 has them."""
        old = bucket.objects.get(request.key)
        if request.headers.get("if-none-match") == "*" and old is not None:
            return refuse(412, "PreconditionFailed")
        tag = request.headers.get("if-match")
        if tag is not None and old is None:
            return refuse(404, "NoSuchKey")
        if tag is not None and old is not None and tag.strip('"') != old.etag.strip('"'):
            return refuse(412, "PreconditionFailed")
        if old is None:
            bucket.order = None
        bucket.objects[request.key] = stored
        return Answer(200, {"etag": stored.etag})

    def put_part(self, request: Request, bucket: Bucket, body: bytearray | None) -> Answer:
        upload = bucket.uploads.get(request.query["uploadId"])
        if upload is None:
            return refuse(404, "NoSuchUpload")
        part = self.stored(request, body)
        upload[1][int(request.query["partNumber"])] = part
        return Answer(200, {"etag": part.etag})

    def complete(self, request: Request, bucket: Bucket, body: bytearray | None) -> Answer:
        upload = bucket.uploads.get(request.query["uploadId"])
        if upload is None:
            return refuse(404, "NoSuchUpload")
        _, parts, headers = upload
        text = unescape(bytes(body or b"").decode())
        chosen: list[Stored] = []
        for block in re.findall(r"<Part>(.*?)</Part>", text, re.DOTALL):
            number = re.search(r"<PartNumber>(\d+)<", block)
            tag = re.search(r"<ETag>(.*?)</ETag>", block)
            part = parts.get(int(number[1])) if number else None
            if part is None or tag is None or tag[1].strip('"') != part.etag.strip('"'):
                return refuse(400, "InvalidPart")
            chosen.append(part)
        if any(part.size < 5 << 20 for part in chosen[:-1]):
            return refuse(400, "EntityTooSmall")
        bodies = [part.body for part in chosen]
        whole = (
            None if any(one is None for one in bodies) else bytearray().join(filter(None, bodies))
        )
        stored = Stored(whole, sum(part.size for part in chosen), self.tag(), time.time(), headers)
        answer = self.store(request, bucket, stored)
        if answer.status != 200:
            return answer
        del bucket.uploads[request.query["uploadId"]]
        return document(
            "CompleteMultipartUploadResult",
            f"<Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key><ETag>{escape(stored.etag)}</ETag>",
        )


class Connection:
    """One client's connection, in a thread of its own."""

    def __init__(self, sock: socket.socket, store: Store) -> None:
        self.socket = sock
        self.store = store
        self.buffer = memoryview(bytearray(_BUFFER))
        self.rest = b""

    def run(self) -> None:
        try:
            while (request := self.head()) is not None:
                self.serve(request)
        except ResetConnection:
            # Linger 0: the peer gets RST at once, and no FIN.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        finally:
            self.socket.close()

    def head(self) -> Request | None:
        """The next request line and headers; None when the client is gone."""
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            count = self.socket.recv_into(self.buffer)
            if count == 0:
                return None
            data += self.buffer[:count]
        self.rest = data[end + 4 :]
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        path, _, query = target.partition("?")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        return Request(
            method=method,
            target=target,
            bucket=bucket,
            key=key,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            length=int(headers.get("content-length", 0)),
        )

    def serve(self, request: Request) -> None:
        if request.bucket == "-":
            self.answer(
                request, self.store.steer(request, bytes(self.body(request, keep=True) or b""))
            )
            return
        fault, number = self.store.begin(request)
        status = 0
        try:
            answer = self.attempt(request, fault, number)
            if settings_latency := self.store.settings.latency:
                time.sleep(settings_latency)
            status = answer.status
        finally:
            # Before the answer: whoever has it finds it in the log.
            self.store.end(request, status)
        self.answer(request, answer, truncated=fault == "truncated")

    def attempt(self, request: Request, fault: str, number: int) -> Answer:
        settings = self.store.settings
        kill = settings.kill if settings.kill and settings.kill.request == number else None
        if fault == "reset":
            raise ResetConnection
        if kill and kill.moment == "before":
            os.kill(kill.pid, signal.SIGKILL)
            raise ResetConnection
        keep = not (settings.discard_nars and request.key.startswith("nar/"))
        body = self.body(request, keep=keep, kill=kill)
        refusal = settings.refusal
        if refusal and (not refusal.methods or request.method in refusal.methods):
            return refuse(refusal.status, refusal.code)
        if fault == "error":
            return refuse(500, "InternalError")
        if fault == "throttle":
            status, code = random.Random(request.target).choice(
                [(503, "SlowDown"), (429, "TooManyRequests")]
            )
            return refuse(
                status,
                code,
                **{"retry-after": str(settings.faults.retry_after if settings.faults else 0)},
            )
        checksum = request.headers.get("x-amz-checksum-sha256")
        if checksum and body is not None:
            actual = base64.b64encode(hashlib.sha256(body).digest()).decode()
            if actual != checksum:
                return refuse(400, "BadDigest")
        with self.store.lock:
            answer = self.store.handle(request, body)
        if kill and kill.moment == "after":
            os.kill(kill.pid, signal.SIGKILL)
            raise ResetConnection
        if fault == "lost" or (fault == "truncated" and not answer.body):
            raise ResetConnection
        if fault == "slow" and settings.faults:
            time.sleep(settings.faults.slow_seconds)
        return answer

    def body(self, request: Request, *, keep: bool, kill: Kill | None = None) -> bytearray | None:
        """All of it, received; None when it is not kept."""
        if (
            request.headers.get("expect", "").lower() == "100-continue"
            and len(self.rest) < request.length
        ):
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        taken, self.rest = self.rest[: request.length], self.rest[request.length :]
        body = bytearray(request.length) if keep else None
        if body is not None:
            body[: len(taken)] = taken
        got = len(taken)
        into = None if body is None else memoryview(body)
        half = request.length // 2
        while True:
            if kill and kill.moment == "body" and got >= half:
                os.kill(kill.pid, signal.SIGKILL)
                raise ResetConnection
            if got == request.length:
                return body
            room = (
                self.buffer[: request.length - got] if into is None else into[got : got + _BUFFER]
            )
            count = self.socket.recv_into(room)
            if count == 0:
                raise ConnectionError("the client is gone in the middle of a body")
            got += count

    def answer(self, request: Request, answer: Answer, *, truncated: bool = False) -> None:
        length = len(answer.body) if answer.length is None else answer.length
        head = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {length}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        data = "\r\n".join([*head, "", ""]).encode("latin-1")
        if request.method == "HEAD":
            self.socket.sendall(data)
        elif truncated:
            self.socket.sendall(data + answer.body[: len(answer.body) // 2])
            raise ResetConnection
        elif len(answer.body) < _SMALL:
            self.socket.sendall(data + answer.body)
        else:
            self.socket.sendall(data)
            self.socket.sendall(answer.body)


def unescape(text: str) -> str:
    for entity, character in (
        ("&quot;", '"'),
        ("&#34;", '"'),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, character)
    return text


def iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--discard-nars", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--bucket", action="append", default=[])
    given = parser.parse_args()
    settings = Settings(latency=given.latency / 1000, discard_nars=given.discard_nars)
    store = Store(settings, given.bucket)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Connection(sock, store).run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
