"""Pushes an OCI layout to a registry that needs no credentials.

A HEAD request asks for every blob, the missing ones are sent in parallel, and the manifest comes last.
So an unchanged image sends no layer, and no reader sees a manifest without its blobs.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.0.1/spec.md#push.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from attrs import frozen

from nixgen.errors import EngineError, UsageError

if TYPE_CHECKING:
    import urllib3

__all__ = ["Destination", "PushReport", "push"]

_JOBS = 4
_CONNECT_SECONDS = 10
_READ_SECONDS = 300
_RETRIES = 3
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")
_DESTINATION = re.compile(
    r"(?P<host>[A-Za-z0-9.\-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)/(?P<repository>[a-z0-9][a-z0-9._/-]*?)(?::(?P<tag>[\w][\w.-]{0,127}))?"
)


@frozen(kw_only=True)
class Destination:
    """A place for an image in a registry. It is reached by HTTP on loopback, else by HTTPS.

    :param host: with its port.
    :param repository: in the registry.
    :param tag: in the repository.
    """

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read a place.

        :param text: ``HOST[:PORT]/REPOSITORY[:TAG]``; the tag is ``latest`` by default.
        :raises UsageError: it is something else.
        """
        found = _DESTINATION.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text!r} is not a place in a registry", hint="write HOST[:PORT]/REPOSITORY[:TAG]"
            )
        return cls(host=found["host"], repository=found["repository"], tag=found["tag"] or "latest")

    @property
    def url(self) -> str:
        """The address of the repository in the registry's interface."""
        scheme = "http" if _LOOPBACK.fullmatch(self.host) else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}"

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"


@frozen(kw_only=True)
class PushReport:
    """The result of a push.

    :param digest: of the manifest; ``HOST/REPOSITORY@DIGEST`` names exactly this image.
    :param sent: bytes of the blobs that were sent.
    :param skipped: bytes of the blobs that the registry had.
    """

    digest: str
    sent: int
    skipped: int


def push(
    layout: Path, destination: Destination, observe: Callable[[str, int, bool], None] | None = None
) -> PushReport:
    """Send the image of a layout to a registry.

    :param layout: the folder.
    :param destination: the place for the image.
    :param observe: called from any thread for each blob, with its digest, its bytes, and whether it
        was sent.
    :raises EngineError: the registry is unreachable or refuses; the layout is not one.
    """
    import urllib3

    try:
        index = json.loads((layout / "index.json").read_bytes())["manifests"][0]
        manifest = _blob(layout, index["digest"]).read_bytes()
        document = json.loads(manifest)
        blobs = {item["digest"]: item["size"] for item in (*document["layers"], document["config"])}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise EngineError(
            f"{layout} is not an OCI layout: {error}", hint="nixgen image build writes one"
        ) from error
    pool = urllib3.PoolManager(
        maxsize=_JOBS,
        retries=urllib3.Retry(
            total=_RETRIES, backoff_factor=0.2, redirect=5, raise_on_redirect=False
        ),
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
    )

    def send(digest: str) -> int:
        sent = _send_blob(pool, destination, digest, _blob(layout, digest), blobs[digest])
        if observe is not None:
            observe(digest, blobs[digest], sent)
        return blobs[digest] if sent else 0

    url = f"{destination.url}/manifests/{destination.tag}"
    headers = {"Content-Type": index["mediaType"]}
    try:
        with ThreadPoolExecutor(max_workers=_JOBS) as jobs:
            sent = sum(jobs.map(send, blobs))
            _expect(pool.request("PUT", url, body=manifest, headers=headers), {201})
            pool.clear()
    except urllib3.exceptions.HTTPError as error:
        raise EngineError(
            f"the registry {destination.host} cannot be reached: {error}",
            hint="check its address; on loopback it must speak HTTP, elsewhere HTTPS",
        ) from error
    return PushReport(digest=index["digest"], sent=sent, skipped=sum(blobs.values()) - sent)


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _send_blob(
    pool: urllib3.PoolManager, destination: Destination, digest: str, file: Path, size: int
) -> bool:
    """Send a blob, unless the registry has it. Return whether it was sent."""
    if _expect(pool.request("HEAD", f"{destination.url}/blobs/{digest}"), {200, 404}).status == 200:
        return False
    start = f"{destination.url}/blobs/uploads/"
    opened = _expect(pool.request("POST", start), {202})
    location = urljoin(start, opened.headers["Location"])
    query = urlencode({"digest": digest})
    with file.open("rb") as body:
        answer = pool.request(
            "PUT",
            f"{location}{'&' if '?' in location else '?'}{query}",
            body=body,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )
    _expect(answer, {201})
    return True


def _expect(response: Any, statuses: set[int]) -> Any:
    if response.status in statuses:
        return response
    hint = "see what the registry says below"
    if response.status in {401, 403}:
        hint = (
            "the registry wants credentials: push with `skopeo copy oci:LAYOUT docker://…` for now"
        )
    raise EngineError(
        f"the registry answered {response.status} to a push",
        hint=hint,
        details=response.data.decode("utf-8", "replace").splitlines()[:10],
    )
