"""A digest as a value, in the three spellings that Nix knows: its own base 32, hexadecimal, and SRI."""

from __future__ import annotations

import base64
import hashlib

from attrs import field, frozen

from nixgen.store.notation import from_base32, normalise_hash, to_base32

__all__ = ["Hash"]

_SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


def _digest(value: bytes) -> bytes:
    return bytes(value)


@frozen
class Hash:
    """A digest and its algorithm.

    :param algorithm: ``md5``, ``sha1``, ``sha256`` or ``sha512``.
    :param digest: the raw bytes.
    """

    algorithm: str
    digest: bytes = field(converter=_digest)

    def __attrs_post_init__(self) -> None:
        if _SIZES.get(self.algorithm) != len(self.digest):
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
