"""Nix's notations of a hash, brought to one: ``sha256:<Nix base-32>``.

The store's database says ``sha256:<hex>``, old commands ``sha256:<base-32>``, new ones
``sha256-<base64>`` (SRI) or an object. Base-32: the Nix manual, "Nix32 encoding".
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

__all__ = ["from_base32", "normalise_hash", "to_base32", "to_sri"]

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


def to_base32(digest: bytes) -> str:
    """Digest → Nix base-32, most significant digit of the little-endian number first."""
    number = int.from_bytes(digest, "little")
    length = -(-len(digest) * 8 // 5)
    pairs = -(-length // 2)
    text = "".join([_PAIRS[(number >> shift) & 1023] for shift in range(10 * pairs - 10, -1, -10)])
    return text[-length:]


def from_base32(text: str) -> bytes:
    """Nix base-32 → digest.

    :raises ValueError: on a character outside the alphabet, or digits beyond the last byte.
    """
    number = 0
    for character in text:
        try:
            number = number << 5 | _VALUES[character]
        except KeyError:
            message = f"{character!r} is no Nix base-32 digit"
            raise ValueError(message) from None
    try:
        return number.to_bytes(len(text) * 5 // 8, "little")
    except OverflowError:
        message = f"{text!r} has bits beyond its last byte"
        raise ValueError(message) from None


def normalise_hash(value: Any) -> str:
    """Any of Nix's notations → ``ALGORITHM:<Nix base-32>``.

    :raises ValueError: when it is none of them.
    """
    if isinstance(value, dict):  # {"algorithm": "sha256", "format": "base64", "hash": "…"}
        value = f"{value.get('algorithm')}-{value.get('hash')}"
    if not isinstance(value, str):
        message = f"{value!r} is no hash"
        raise ValueError(message)  # noqa: TRY004 - malformed text and malformed JSON are one case here
    for separator in ":-":
        algorithm, found, text = value.partition(separator)
        if found and algorithm in _BYTES:
            return f"{algorithm}:{to_base32(_digest(text, _BYTES[algorithm], value))}"
    message = f"{value!r} is no hash"
    raise ValueError(message)


def to_sri(value: Any) -> str:
    """Any of Nix's notations → ``ALGORITHM-<base64>``, as people meet it in pins.

    :raises ValueError: when it is none of them.
    """
    algorithm, _, text = normalise_hash(value).partition(":")
    return f"{algorithm}-{base64.b64encode(from_base32(text)).decode()}"


def _digest(text: str, size: int, whole: str) -> bytes:
    try:
        if len(text) == size * 2:
            return bytes.fromhex(text)
        if len(text) == -(-size * 8 // 5):
            return from_base32(text)
        digest = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != size:
        message = f"{whole!r} is no hash"
        raise ValueError(message)
    return digest
