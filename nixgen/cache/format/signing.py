"""Ed25519 keys in Nix's text form, and signatures of narinfo fingerprints.

A secret key is ``name:base64(seed ‖ public)``, 64 bytes; a public key is ``name:base64(public)``,
32 bytes; a signature is ``name:base64``, 64 bytes. These are libsodium's layouts, which Nix uses.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nixgen.errors import UsageError

__all__ = ["PublicKey", "SecretKey"]

_NAME = re.compile(r"[^\s:]+")


def _split(text: str, size: int, what: str) -> tuple[str, bytes]:
    name, separator, encoded = text.strip().partition(":")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    # The text itself stays out of the message: it may be a secret key.
    if not separator or not _NAME.fullmatch(name) or len(data) != size:
        raise UsageError(
            f"this is not a {what} key of a Nix binary cache",
            hint=f"it is one line, name:base64, with {size} bytes; make one with: nixgen cache keygen",
        )
    return name, data


@frozen
class PublicKey:
    """A public key, as clients list it in ``trusted-public-keys``.

    :param name: the name before the colon.
    :param data: the 32 bytes of the key.
    """

    name: str
    data: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read a public key.

        :param text: ``name:base64``.
        :raises UsageError: it is not a public key.
        """
        return cls(*_split(text, 32, "public"))

    def verifies(self, fingerprint: str, signatures: Iterable[str]) -> bool:
        """Whether one of the signatures was made by this key over a text.

        :param fingerprint: the text.
        :param signatures: ``name:base64``; those of other keys are passed over.
        """
        key = Ed25519PublicKey.from_public_bytes(self.data)
        for signature in signatures:
            name, _, encoded = signature.partition(":")
            if name != self.name:
                continue
            try:
                key.verify(base64.b64decode(encoded, validate=True), fingerprint.encode())
            except (InvalidSignature, ValueError):
                continue
            return True
        return False

    def __str__(self) -> str:
        return f"{self.name}:{base64.b64encode(self.data).decode('ascii')}"


@frozen
class SecretKey:
    """A signing key. Its repr shows only the name; only `text` holds the secret.

    :param name: the name before the colon.
    """

    name: str
    _key: Ed25519PrivateKey = field(repr=False, eq=False)

    @classmethod
    def generate(cls, name: str) -> SecretKey:
        """Make a new key.

        :param name: by custom a host name and a number, such as ``cache.example.org-1``.
        :raises UsageError: the name is empty, or contains white space or a colon.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of a key: white space and colons separate keys",
                hint="use something like cache.example.org-1",
            )
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> SecretKey:
        """Read a secret key.

        :param text: ``name:base64``.
        :raises UsageError: it is not a secret key, or its public half belongs to another key.
        """
        name, data = _split(text, 64, "secret")
        key = Ed25519PrivateKey.from_private_bytes(data[:32])
        if key.public_key().public_bytes_raw() != data[32:]:
            raise UsageError(
                f"the secret key {name} is damaged: its two halves do not belong together",
                hint="restore it from a copy, or make a new one with: nixgen cache keygen",
            )
        return cls(name, key)

    @classmethod
    def load(cls, path: Path) -> SecretKey:
        """Read a key file, which only its owner may be able to open.

        :param path: the file.
        :raises UsageError: it is missing, unreadable, open to others, or not a key.
        """
        try:
            with path.open("rb") as file:
                # Of the open file, so that what is checked is what is read.
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(4096)
        except OSError as error:
            raise UsageError(
                f"cannot read the key file {path}: {error.strerror}",
                hint="make one with: nixgen cache keygen",
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(
                f"the key file {path} is open to others (mode {stat.S_IMODE(mode):04o})",
                hint=f"if nobody can have read it: chmod 600 {path}; otherwise make a new key",
            )
        return cls.parse(data.decode("ascii", "replace"))

    @property
    def public(self) -> PublicKey:
        """The public key that belongs to it."""
        return PublicKey(self.name, self._key.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The secret: ``name:base64``, without a newline."""
        data = self._key.private_bytes_raw() + self.public.data
        return f"{self.name}:{base64.b64encode(data).decode('ascii')}"

    def sign(self, fingerprint: str) -> str:
        """Sign a text.

        :param fingerprint: the text; see `nixgen.cache.format.narinfo.fingerprint`.
        :returns: ``name:base64``, for a ``Sig`` line.
        """
        signature = self._key.sign(fingerprint.encode())
        return f"{self.name}:{base64.b64encode(signature).decode('ascii')}"
