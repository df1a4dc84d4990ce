"""Digests in every notation of Nix, and as a value.

The store's database says ``sha256:<hex>``, old commands ``sha256:<base 32>``, new ones
``sha256-<base64>`` (SRI) or an object. Base 32: the Nix manual, "Nix32 encoding".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from attrs import field, frozen

__all__ = ["Hash", "from_base32", "normalise_hash", "to_base32", "to_sri"]

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


def _raw(value: bytes) -> bytes:
    return bytes(value)


@frozen
class Hash:
    """A digest and its algorithm.

    :param algorithm: ``md5``, ``sha1``, ``sha256`` or ``sha512``.
    :param digest: the raw bytes.
    """

    algorithm: str
    digest: bytes = field(converter=_raw)

    def __attrs_post_init__(self) -> None:
        if _BYTES.get(self.algorithm) != len(self.digest):
            raise ValueError(f"{len(self.digest)} bytes are not a digest of {self.algorithm}")

    @classmethod
    def of(cls, data: bytes) -> Hash:
        """The SHA-256 of ``data``."""
        return cls("sha256", hashlib.sha256(data).digest())

    @classmethod
    def parse(cls, text: str) -> Hash:
        """Read ``sha256:<base 32 | hex | base64>`` or ``sha256-<base64>`` (SRI).

        :raises ValueError: on anything else.
        """
        algorithm, _, digits = normalise_hash(text).partition(":")
        return cls(algorithm, from_base32(digits))

    @property
    def nix32(self) -> str:
        """The digest alone, in Nix's base 32: what file names in a cache use."""
        return to_base32(self.digest)

    @property
    def hex(self) -> str:
        """The digest alone, in lower-case hexadecimal."""
        return self.digest.hex()

    @property
    def sri(self) -> str:
        """``sha256-<base64>``."""
        return f"{self.algorithm}-{base64.b64encode(self.digest).decode('ascii')}"

    def __str__(self) -> str:
        """``sha256:<base 32>``: what narinfo files and signatures use."""
        return f"{self.algorithm}:{self.nix32}"
