"""The ``.doi`` file of a binary cache: which store path an output of a content-addressed derivation turned out to be.

Format: compact JSON with sorted keys, as Nix until 2.34 writes it (src/libstore/realisation.cc). A signature covers the same
text without its signatures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.format.signing import SecretKey
from nixgen.driver.store.store import Realisation

__all__ = ["put_realisations", "realisation_name", "realisation_text"]


def realisation_name(realisation: Realisation) -> str:
    """The cache's file about it."""
    return f"realisations/{realisation.id}.doi"


def realisation_text(realisation: Realisation, keys: Sequence[SecretKey]) -> str:
    """The file's text, signed with ``keys`` in addition to what the store has."""
    document: dict[str, Any] = {
        "id": realisation.id,
        "outPath": _base_name(realisation.path),
        "dependentRealisations": {
            name: _base_name(path) for name, path in realisation.dependencies.items()
        },
    }
    text = _compact(document)
    signatures = dict.fromkeys((*realisation.signatures, *(key.sign(text) for key in keys)))
    return _compact({**document, "signatures": list(signatures)})


def put_realisations(
    realisations: Sequence[Realisation], bucket: Bucket, keys: Sequence[SecretKey]
) -> int:
    """Write those that the cache lacks; how many they were. Their paths must be published already.

    :raises CacheError: S3 refuses or does not answer.
    """
    return sum(
        bucket.put(
            realisation_name(each),
            realisation_text(each, keys).encode(),
            content_type="application/json",
            if_absent=True,
        )
        for each in realisations
    )


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
