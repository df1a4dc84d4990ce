"""Recognise a push that has nothing to do with one request to the cache, before anything is loaded.

A push ends by recording a root, which keeps its paths from collection. As long as that root is the
newest of its environment, collection keeps all of its paths (`nixgen.cache.collect.policy`), so a
push of the same paths would upload nothing. After a push, two things are saved: the request, and a
URL that lists the roots from this one on. The URL is signed for a week and for this listing alone
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). In any doubt, the
ordinary push runs.

Every push imports this module first, so it imports only modules of the standard library that load
quickly.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["LIFETIME", "Question", "Request", "everything_there", "pushed_file", "request", "save"]

LIFETIME = 7 * 24 * 3600
"""Seconds for which a signed URL is valid. S3 allows no more."""

_SCHEMA = "nixgen/pushed/1"
_REMEMBERED = 32
_SECONDS = 10.0  # to wait for an answer, before the ordinary push runs
_MOST = 1 << 20

Request = dict[str, object]
"""The request of a push: its paths, project, cache and signing keys. Compared as JSON."""

Question = tuple[str, str]
"""(URL of the listing, the only name that the listing may hold)."""


def pushed_file(root: str | None) -> str:
    """The file in which completed pushes are saved.

    Only its owner may read it, because anybody with its URLs can list the roots of the cache.

    :param root: the folder of the project; None for pushes of bare store paths.
    """
    if root is not None:
        return os.path.join(root, ".nixgen", "cache", "pushed.json")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "nixgen", "pushed.json")


def request(
    *,
    project: str,
    targets: Sequence[str],
    outputs: Sequence[str],
    to: str,
    keys: Sequence[str],
    base: str,
    environment: str | None,
) -> Request:
    """The request of a push. Equal pushes have equal requests.

    :param project: the folder of the project.
    :param targets: the words as typed: targets, store paths, or nothing for all targets.
    :param outputs: the main output of every selected target; empty for bare store paths.
    :param to: the cache, as typed.
    :param keys: the files of the signing keys.
    :param base: the base that provides packages, such as ``debian``.
    :param environment: the name of the environment, if any.
    """
    bare = bool(targets) and not outputs
    return {
        "project": None if bare else os.path.realpath(project),
        "targets": list(targets),
        "outputs": list(outputs),
        "to": to,
        "keys": [os.path.realpath(key) for key in keys],
        "base": None if bare else base,
        "environment": None if bare else environment,
    }


def everything_there(root: str | None, request: Request) -> int | None:
    """The number of paths of an earlier, equal push if the cache still has all of them; else None.

    :param root: the folder of the project; None for pushes of bare store paths.
    :param request: the request of the push, see `request`.
    """
    try:
        for entry in _load(root):
            if entry["request"] == request and entry["expires"] > time.time():
                return int(entry["paths"]) if _only(entry["url"], entry["root"]) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass
    return None


def save(root: str | None, request: Request, question: Question, paths: int) -> None:
    """Save a completed push. A failure to write does not make the push fail.

    :param root: the folder of the project; None for pushes of bare store paths.
    :param request: the request of the push, see `request`.
    :param question: the URL of the listing, and the only name that the listing may hold.
    :param paths: the number of paths that were pushed.
    """
    try:
        before = _load(root)
    except (OSError, ValueError, LookupError, TypeError):
        before = []
    entry = {
        "request": request,
        "url": question[0],
        "root": question[1],
        "paths": paths,
        "expires": time.time() + LIFETIME - 60,
    }
    entries = [entry, *(each for each in before if each.get("request") != request)][:_REMEMBERED]
    file = pushed_file(root)
    temporary = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"schema": _SCHEMA, "pushes": entries}, stream)
        os.replace(temporary, file)
    except OSError:
        return


def _load(root: str | None) -> list[dict[str, Any]]:
    with open(pushed_file(root), encoding="utf-8") as file:
        document = json.load(file)
    if document["schema"] != _SCHEMA:
        return []
    return [entry for entry in document["pushes"] if isinstance(entry, dict)]


def _only(url: object, name: object) -> bool:
    """True if the listing at a URL holds exactly one name, the given one."""
    answer = _answer(str(url))
    return re.findall(r"<Key>([^<]*)</Key>", answer) == [name] and (
        "<IsTruncated>true" not in answer
    )


def _answer(url: str) -> str:
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in proxies):
        return ""
    secure = parts.scheme == "https"
    make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}")
        response = connection.getresponse()
        return response.read(_MOST).decode() if response.status == 200 else ""
    except http.client.HTTPException:
        return ""
    finally:
        connection.close()
