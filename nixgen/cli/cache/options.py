"""The options that several verbs of the cache share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["SigningKeys", "To", "TrustedKeys", "Upstreams"]

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="CACHE",
        envvar="NIXGEN_CACHE",
        help="Such as s3://bucket?region=eu-central-1, or a Cache of infra.py; the project's own S3 when not given.",
        show_default=False,
    ),
]
SigningKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Secret key to sign with; may be repeated, and all of them sign. The project's own when not given.",
        show_default=False,
    ),
]
TrustedKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="PUBLIC",
        help="Public key, or a file with one, whose signatures count; may be repeated. The project's own when not given.",
        show_default=False,
    ),
]
Upstreams = Annotated[
    list[str] | None,
    typer.Option(
        "--upstream",
        metavar="URL",
        help="A cache where paths may be found as well; may be repeated.",
        show_default=False,
    ),
]
