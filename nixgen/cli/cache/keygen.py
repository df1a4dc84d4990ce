"""``nixgen cache keygen``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Json, examples, verb

app = verb()


@app.command("keygen", epilog=examples("nixgen cache keygen example-1"))
def keygen(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the key, such as cache.example.org-1.")
    ],
    secret: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="File for the secret key; FILE.pub gets the public one."
        ),
    ] = Path("nixgen-cache.key"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a pair of keys that sign pushed paths."""
    from nixgen.cache.format.keygen import keygen as make
    from nixgen.cli import console

    public = make(name, secret)
    if json:
        console.print_document("nixgen/key/1", public=str(public), secret=str(secret))
    else:
        console.say(f"secret key: {secret} (keep it out of version control)")
        console.say(f"public key: {public}")
        console.say(f"clients need: --option trusted-public-keys '{public}'")
