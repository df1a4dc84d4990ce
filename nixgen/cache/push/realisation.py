"""The ``.doi`` file of a binary cache. It gives the store path of one output of a content-addressed
derivation, which is known only after its build.

Format: compact JSON with sorted keys, as Nix until 2.34 writes it (src/libstore/realisation.cc). A
signature covers the same text without its signatures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.format.names import realisation_name
from nixgen.cache.format.signing import SecretKey
from nixgen.driver.store.store import Realisation
from nixgen.store.path import base_name

__all__ = ["compact", "put_realisations", "realisation_text"]


def realisation_text(realisation: Realisation, keys: Sequence[SecretKey]) -> str:
    """The text of the file, signed.

    :param realisation: the output and its path.
    :param keys: every one signs; signatures that the store has are kept.
    """
    document: dict[str, Any] = {
        "id": realisation.id,
        "outPath": base_name(realisation.path),
        "dependentRealisations": {
            name: base_name(path) for name, path in realisation.dependencies.items()
        },
    }
    text = compact(document)
    signatures = dict.fromkeys((*realisation.signatures, *(key.sign(text) for key in keys)))
    return compact({**document, "signatures": list(signatures)})


def put_realisations(
    realisations: Sequence[Realisation], bucket: Bucket, keys: Sequence[SecretKey]
) -> int:
    """Write the realisations that the cache lacks. Their paths must be published already.

    :param realisations: outputs and their paths.
    :param bucket: the cache.
    :param keys: every one signs.
    :returns: how many were written.
    :raises CacheError: S3 refuses or does not answer.
    """
    written = 0
    for each in realisations:
        name, text = realisation_name(each.id), realisation_text(each, keys)
        written += bucket.put(name, text.encode(), if_absent=True)
    return written


def compact(document: dict[str, Any]) -> str:
    """The text of a realisation, as its signatures cover it.

    :param document: the realisation.
    """
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
