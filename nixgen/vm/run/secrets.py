"""The values of a test's secrets: made for one run, and handed to the machines at boot.

A machine gets its values as a tar archive in QEMU's fw_cfg device, from a file that has no name on
the host. So they are in no store path, no command line and no file.
"""

from __future__ import annotations

import io
import posixpath
import secrets
import tarfile
from collections.abc import Mapping

from nixgen.errors import InputError
from nixgen.vm.spec import NodeSpec, SecretSpec, TestSpec

__all__ = ["archive", "values_of"]


def values_of(spec: TestSpec, given: Mapping[str, str]) -> dict[str, str]:
    """Choose the value of every file of a secret. A file has the same value on all machines.

    :param spec: the test.
    :param given: the values that the user gave, by the path of the file.
    :raises InputError: a value that the user gives is missing.
    """
    values: dict[str, str] = {}
    for secret in (each for node in spec.nodes for each in node.secrets):
        if secret.file in values:
            continue
        if secret.given:
            if secret.file not in given:
                raise InputError(
                    f"test {spec.name}: the value of the secret {secret.name!r} is missing",
                    hint="it is in infra.py only: run the test by `nixgen test run`",
                )
            values[secret.file] = given[secret.file]
        else:
            values[secret.file] = _random(secret)
    return values


def _random(secret: SecretSpec) -> str:
    return "".join(secrets.choice(secret.alphabet) for _ in range(secret.length))


def archive(node: NodeSpec, values: Mapping[str, str]) -> bytes:
    """Pack the secrets of a machine as a tar archive of files that only root can read. Empty
    without secrets.

    :param node: the machine.
    :param values: the value of each file.
    """
    if not node.secrets:
        return b""
    buffer = io.BytesIO()
    # GNU's format: busybox reads its long names, and no others
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as packed:
        for secret in node.secrets:
            content = values[secret.file].encode()
            member = tarfile.TarInfo(posixpath.normpath(secret.file).lstrip("/"))
            member.mode = 0o400
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
