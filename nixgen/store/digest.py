"""Digests as values, and in every notation of Nix.

The database of the store has ``sha256:<hex>``, old commands print ``sha256:<base 32>``, and new
ones ``sha256-<base64>`` (SRI) or an object. The Nix manual describes base 32 under "Nix32
encoding".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from attrs import frozen

__all__ = ["Hash", "from_base32", "to_base32"]

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


def to_base32(digest: bytes) -> str:
    """Write a digest in Nix's base 32.

    The digest is a little-endian number; its most significant digit comes first.

    :param digest: the raw bytes.
    """
    number = int.from_bytes(digest, "little")
    length = -(-len(digest) * 8 // 5)
    pairs = -(-length // 2)
    text = "".join([_PAIRS[(number >> shift) & 1023] for shift in range(10 * pairs - 10, -1, -10)])
    return text[-length:]


def from_base32(text: str) -> bytes:
    """Read a digest in Nix's base 32.

    :param text: the digits.
    :raises ValueError: a character is not in the alphabet, or there are bits beyond the last byte.
    """
    number = 0
    for character in text:
        try:
            number = number << 5 | _VALUES[character]
        except KeyError:
            raise ValueError(f"{character!r} is no Nix base-32 digit") from None
    try:
        return number.to_bytes(len(text) * 5 // 8, "little")
    except OverflowError:
        raise ValueError(f"{text!r} has bits beyond its last byte") from None


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
        raise ValueError(f"{whole!r} is no hash")
    return digest


@frozen
class Hash:
    """A digest and its algorithm.

    :param algorithm: ``md5``, ``sha1``, ``sha256`` or ``sha512``.
    :param digest: the raw bytes.
    """

    algorithm: str
    digest: bytes

    def __attrs_post_init__(self) -> None:
        if _BYTES.get(self.algorithm) != len(self.digest):
            raise ValueError(f"{len(self.digest)} bytes are not a digest of {self.algorithm}")

    @classmethod
    def of(cls, data: bytes) -> Hash:
        """The SHA-256 of bytes.

        :param data: the bytes.
        """
        return cls("sha256", hashlib.sha256(data).digest())

    @classmethod
    def parse(cls, value: Any) -> Hash:
        """Read a digest in any of Nix's notations.

        :param value: ``sha256:<base 32 | hex | base64>``, ``sha256-<base64>`` (SRI), or the object
            in the JSON of new commands: ``{"algorithm": "sha256", "format": "base64", "hash":
            "…"}``.
        :raises ValueError: it is anything else.
        """
        text = f"{value.get('algorithm')}-{value.get('hash')}" if isinstance(value, dict) else value
        for separator in ":-" if isinstance(text, str) else "":
            algorithm, _, digits = text.partition(separator)
            if algorithm in _BYTES and digits:
                return cls(algorithm, _digest(digits, _BYTES[algorithm], text))
        raise ValueError(f"{value!r} is no hash")

    @property
    def nix32(self) -> str:
        """The digest in Nix's base 32, without the algorithm. The file names of a cache use it."""
        return to_base32(self.digest)

    @property
    def hex(self) -> str:
        """The digest in lower-case hexadecimal, without the algorithm."""
        return self.digest.hex()

    @property
    def sri(self) -> str:
        """The digest as ``sha256-<base64>``."""
        return f"{self.algorithm}-{base64.b64encode(self.digest).decode('ascii')}"

    def __str__(self) -> str:
        """The digest as ``sha256:<base 32>``, the notation of narinfo files and signatures."""
        return f"{self.algorithm}:{self.nix32}"
