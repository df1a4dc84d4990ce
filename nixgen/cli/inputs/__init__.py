"""``nixgen inputs``: one module of this package for each verb."""

from __future__ import annotations

from nixgen.cli.lazy import lazy_group
from nixgen.cli.options import examples, verb

VERBS = ("show", "update", "check", "options")

app = verb(
    "Show, update and check the pins and the Debian lock.",
    cls=lazy_group(__name__, VERBS),
    epilog=examples("nixgen inputs show", "nixgen inputs update nixpkgs"),
)
