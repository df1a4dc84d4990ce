"""``nixgen cache``: each verb is a module of this package."""

from __future__ import annotations

from nixgen.cli.lazy import lazy_group
from nixgen.cli.options import examples, verb

VERBS = (
    "push",
    "warm",
    "status",
    "verify",
    "repair",
    "sign",
    "provision",
    "channel",
    "roots",
    "pin",
    "unpin",
    "gc",
    "serve",
    "keygen",
)

app = verb(
    "Push to a binary cache on S3, verify, repair, collect and serve it.",
    cls=lazy_group(__name__, VERBS),
    epilog=examples(
        "nixgen cache push --to s3://bucket",
        "nixgen cache serve s3://bucket",
        "nixgen help cache push",
    ),
)
