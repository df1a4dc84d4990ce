"""Options that several verbs of the cache share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CacheName", "SigningKeys", "To", "TrustedKeys", "Upstreams"]

_CACHE = (
    "Address of a cache, such as s3://bucket?region=eu-central-1, or the name of a Cache of infra.py."
    " Default: the project's own S3."
)

To = Annotated[
    str | None, typer.Option("--to", metavar="CACHE", envvar="NIXGEN_CACHE", help=_CACHE)
]
CacheName = Annotated[
    str | None, typer.Option("--cache", metavar="CACHE", envvar="NIXGEN_CACHE", help=_CACHE)
]
SigningKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="File of a secret key that signs. May be repeated: every key signs. Default: the project's own key.",
    ),
]
TrustedKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="PUBLIC",
        help="Public key, or a file with one, whose signatures count. May be repeated. Default: the project's own key.",
    ),
]
Upstreams = Annotated[
    list[str] | None,
    typer.Option(
        "--upstream",
        metavar="URL",
        help="Address of another cache that clients use, and that may have paths. May be repeated.",
    ),
]
