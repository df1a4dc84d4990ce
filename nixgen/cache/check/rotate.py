"""``nixgen cache sign``: the rotation of keys, for narinfos that are in a cache already.

First the new key signs beside the old one, then clients learn to trust it, then the old key's
signatures are removed. A narinfo is signed only when a known key has signed its content: somebody
who can write to the bucket must not get our signature by waiting for a rotation.

Narinfos are edited as text, so that fields which nixgen does not know survive. They are written on
condition that nobody else has written them meanwhile, so that no push, repair or other rotation is
undone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Any, TypeAlias

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import read_narinfo
from nixgen.cache.format.content_address import follows_from_content
from nixgen.cache.format.names import is_narinfo
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import PublicKey, SecretKey
from nixgen.cache.push.realisation import compact
from nixgen.errors import CacheError, UsageError
from nixgen.programs.observer import ignore
from nixgen.records.document import document
from nixgen.records.structure import to_json

__all__ = ["Refused", "Rotation", "SignReport", "resigned", "resigned_realisation", "sign"]

REALISATIONS = "realisations/"

_ATTEMPTS = 8


@frozen(kw_only=True)
class Rotation:
    """The keys that sign, and those whose signatures are removed. `Rotation.of` checks them.

    :param keys: sign every path.
    :param trusted: a path is signed only when one of these keys has signed it, or one of ``keys``.
    :param dropped: names of the keys whose signatures are removed.
    """

    keys: tuple[SecretKey, ...] = ()
    trusted: tuple[PublicKey, ...] = ()
    dropped: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        keys: Sequence[SecretKey],
        trusted: Sequence[PublicKey],
        dropped: Collection[str] = (),
    ) -> Rotation:
        """Make a consistent rotation.

        :param keys: sign every path.
        :param trusted: as of the class.
        :param dropped: names of the keys whose signatures are removed.
        :raises UsageError: there is nothing to do; a key both signs and is removed; or two keys
            share a name, by which clients tell them apart.
        """
        if not keys and not dropped:
            raise UsageError(
                "there is no key to sign with, and none to drop",
                hint="give --key FILE, --drop NAME, or both",
            )
        both = sorted({key.name for key in keys}.intersection(dropped))
        if both:
            raise UsageError(
                f"the key {both[0]} cannot sign and be dropped at once",
                hint="leave out one of both",
            )
        public: dict[str, PublicKey] = {}
        for key in (*trusted, *(key.public for key in keys)):
            if public.setdefault(key.name, key) != key:
                raise UsageError(
                    f"two keys are named {key.name}, and clients would take one for the other",
                    hint="make a key with a new name: nixgen cache keygen NAME",
                )
        return cls(keys=tuple(keys), trusted=tuple(public.values()), dropped=frozenset(dropped))


@frozen(kw_only=True)
class Refused:
    """A narinfo that was left as it is.

    :param object: the name of its file.
    :param path: the store path; None when the narinfo cannot be read.
    :param message: the reason; follows the name of the path.
    """

    object: str
    path: str | None
    message: str


def resigned(text: str, rotation: Rotation) -> str:
    """Give a narinfo the signatures of a rotation. A second time changes nothing.

    :param text: of the narinfo.
    :param rotation: the keys.
    :raises ValueError: it must not be signed, or would be left without a signature of a known key.
        The message follows the path's name.
    :raises VerifyError: it is no narinfo.
    """
    info = NarInfo.parse(text)
    if not info.signatures and follows_from_content(info):
        return text  # needs no signature, and nobody has vouched for it
    wanted = _wanted(info.fingerprint, info.signatures, rotation)
    return text if wanted == info.signatures else _with_signatures(text, wanted)


def resigned_realisation(text: str, rotation: Rotation) -> str:
    """Give a realisation (a ``.doi`` file) the signatures of a rotation.

    They cover the text of the file without its signatures; see `nixgen.cache.push.realisation`.

    :param text: of the file.
    :param rotation: the keys.
    :raises ValueError: as `resigned`; or the text is no realisation.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("signatures", []), list):
        raise ValueError("cannot be read: it is no realisation")  # noqa: TRY004 - malformed text
    signatures = tuple(map(str, document.pop("signatures", [])))
    wanted = _wanted(compact(document), signatures, rotation)
    if wanted == signatures:
        return text
    return compact({**document, "signatures": list(wanted)})


def _wanted(signed: str, signatures: Sequence[str], rotation: Rotation) -> tuple[str, ...]:
    """Choose the signatures of a text.

    :param signed: the text that signatures cover.
    :param signatures: the present ones.
    :raises ValueError: no known key has signed it, or none would be left.
    """
    names = {key.name: key for key in rotation.trusted}
    good = [
        signature
        for signature in signatures
        if (key := names.get(signature.partition(":")[0])) and key.verifies(signed, (signature,))
    ]
    if not good:
        claimed = sorted({signature.partition(":")[0] for signature in signatures})
        raise ValueError(
            f"is signed by {', '.join(claimed) or 'nobody'}, and by no known key rightly"
        )
    kept = [
        signature
        for signature in signatures
        if (name := signature.partition(":")[0]) not in rotation.dropped
        and (name not in names or signature in good)
    ]
    new = [key.sign(signed) for key in rotation.keys]
    wanted = tuple(dict.fromkeys((*kept, *new)))
    if not any(signature in new or signature in good for signature in wanted):
        raise ValueError("would be left without a signature of a known key")
    return wanted


def _with_signatures(text: str, signatures: Sequence[str]) -> str:
    lines = text.removesuffix("\n").split("\n")
    first = next((n for n, line in enumerate(lines) if line.startswith("Sig: ")), len(lines))
    before = lines[:first]
    behind = [line for line in lines[first:] if not line.startswith("Sig: ")]
    return "\n".join([*before, *(f"Sig: {each}" for each in signatures), *behind]) + "\n"


class _Result(Enum):
    CHANGED = auto()
    UNCHANGED = auto()
    GONE = auto()


_Outcome: TypeAlias = _Result | Refused


@frozen(kw_only=True)
class SignReport:
    """The outcome of a rotation.

    :param cache: the address of the cache.
    :param paths: number of narinfos and realisations that were read.
    :param changed: how many of them got, or would get, other signatures.
    :param refused: those that were left as they are because no known key has signed them.
    :param written: False after a plan.
    """

    cache: str
    paths: int
    changed: int
    refused: tuple[Refused, ...]
    written: bool

    def document(self) -> dict[str, Any]:
        """The document of ``--json``, nixgen/cache-sign/1."""
        return document("nixgen/cache-sign/1", **to_json(self))


def sign(
    bucket: Bucket,
    rotation: Rotation,
    *,
    plan_only: bool = False,
    observe: Callable[[int], None] = ignore,
) -> SignReport:
    """Give every narinfo and realisation the signatures of a rotation.

    A second run changes nothing. It may be interrupted, and run beside pushes, which sign their own paths.

    :param bucket: of the cache; as many files are signed at once as it has connections.
    :param rotation: the keys.
    :param plan_only: read everything, and write nothing.
    :param observe: called with the number of finished files.
    :raises CacheError: S3 refuses or does not answer, or others write a narinfo again and again.
    """
    names = [found.name for found in bucket.objects(flat=True) if is_narinfo(found.name)]
    names += bucket.names(REALISATIONS)
    outcomes: list[_Outcome] = []

    def one(name: str) -> _Outcome:
        return _sign_one(bucket, name, rotation, plan_only=plan_only)

    with ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-sign") as pool:
        for outcome in pool.map(one, names):
            outcomes.append(outcome)
            observe(len(outcomes))
    return SignReport(
        cache=str(bucket.location),
        paths=len(outcomes) - outcomes.count(_Result.GONE),
        changed=outcomes.count(_Result.CHANGED),
        refused=tuple(outcome for outcome in outcomes if isinstance(outcome, Refused)),
        written=not plan_only,
    )


def _sign_one(bucket: Bucket, name: str, rotation: Rotation, *, plan_only: bool) -> _Outcome:
    for _ in range(_ATTEMPTS):
        found = bucket.read_tagged(name)
        if found is None:
            return _Result.GONE
        data, tag = found
        text = _rewritten(name, data, rotation)
        if isinstance(text, Refused):
            return text
        if text == data.decode():
            return _Result.UNCHANGED
        if plan_only or bucket.put(name, text.encode(), if_match=tag):
            return _Result.CHANGED
        # Somebody else wrote it meanwhile: read it again.
    raise CacheError(
        f"{name} of {bucket.location} is written by others again and again",
        hint="end other pushes and rotations, and run it again; what was signed stays so",
    )


def _rewritten(name: str, data: bytes, rotation: Rotation) -> str | Refused:
    path = None
    try:
        if name.startswith(REALISATIONS):
            return resigned_realisation(data.decode(), rotation)
        info = read_narinfo(data)
        if not isinstance(info, NarInfo):
            return Refused(object=name, path=None, message=f"cannot be read: {info.reason}")
        path = info.store_path
        if info.key != name:
            return Refused(object=name, path=path, message=f"stands in {name}")
        return resigned(data.decode(), rotation)
    except ValueError as error:  # also of JSON, and of text that is none
        return Refused(object=name, path=path, message=str(error))
