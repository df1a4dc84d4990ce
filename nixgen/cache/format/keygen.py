"""Makes a key pair and writes it to two files."""

from __future__ import annotations

import os
from pathlib import Path

from nixgen.cache.format.signing import PublicKey, SecretKey
from nixgen.errors import OutsideError, UsageError

__all__ = ["keygen", "public_key_path"]


def public_key_path(secret: Path) -> Path:
    """The file of the public key that belongs to a secret key's file: ``<secret>.pub``.

    :param secret: the file of the secret key.
    """
    return secret.with_name(secret.name + ".pub")


def keygen(name: str, secret: Path) -> PublicKey:
    """Write a new secret key (mode 0600), and its public key to ``<secret>.pub``.

    Neither file is ever overwritten: a lost key cannot be made again.

    :param name: the name of the key; see `SecretKey.generate`.
    :param secret: the file to write.
    :returns: the public key.
    :raises UsageError: the name is not valid, or one of the files exists already.
    :raises OutsideError: the directory cannot be written.
    """
    key = SecretKey.generate(name)
    public = public_key_path(secret)
    _create(secret, key.text, 0o600)
    try:
        _create(public, str(key.public), 0o644)
    except BaseException:
        secret.unlink()
        raise
    return key.public


def _create(path: Path, text: str, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL with the final mode: at no time can others open it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text + "\n")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError as error:
        raise UsageError(
            f"{path} exists already", hint="give another path, or move the old key away"
        ) from error
    except OSError as error:
        raise OutsideError(
            f"cannot write {path}: {error.strerror}", hint="give a path that you can write"
        ) from error
