"""The version and the abilities of the Nix on PATH, tried once for each binary and then remembered.

The version alone is not enough: Lix differs, and distributions patch Nix. So each ability is tried.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from attrs import frozen

from nixgen.errors import StoreError
from nixgen.files.write import write_atomically
from nixgen.programs.child import missing_tool
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.records.format import Format

__all__ = ["Capabilities", "nix_identity", "probe", "program_identity"]

_FEATURES = ("--extra-experimental-features", "nix-command flakes")


@frozen(kw_only=True)
class Capabilities:
    """The version and the abilities of one Nix binary.

    :param identity: its `nix_identity`. When that changes, the binary is tried again.
    :param version: the last word of ``nix --version``.
    :param implementation: ``nix`` or ``lix``.
    :param system: Nix's own platform, such as ``x86_64-linux``.
    :param sandbox: its setting ``sandbox``: ``true``, ``false`` or ``relaxed``.
    :param config_command: the subcommand that prints settings: ``config show`` or ``show-config``.
    """

    identity: str
    version: str
    implementation: str
    system: str
    sandbox: str
    config_command: str


_FORMAT = Format(
    schema="nixgen/capabilities/1",
    shape=Capabilities,
    error=StoreError,
    hint="delete it; nixgen writes it again",
)


def nix_identity() -> str:
    """The path, size and time of the Nix on PATH, which change when Nix does. Starts no process.

    :raises MissingToolError: there is no Nix.
    """
    for folder in os.get_exec_path():  # shutil.which, without importing shutil
        program = os.path.join(folder, "nix-store")  # noqa: PTH118 - the folder is text of PATH
        if os.access(program, os.X_OK):
            return program_identity(program)
    raise missing_tool("nix-store")


def program_identity(program: str) -> str:
    """The path, size and time of a program. Links are followed.

    :param program: its path.
    """
    real = os.path.realpath(program)
    status = os.stat(real)  # noqa: PTH116 - a no-op build is counted in milliseconds
    return f"{real}:{status.st_size}:{status.st_mtime_ns}"


def probe(runner: Runner, cache: Path) -> Capabilities:
    """The version and the abilities of the Nix on PATH.

    :param runner: runs Nix.
    :param cache: the folder of ``capabilities.json``. A file that cannot be used is replaced.
    :raises MissingToolError: there is no Nix.
    :raises StoreError: Nix cannot print its settings.
    """
    identity = nix_identity()
    file = cache / "capabilities.json"
    known = _FORMAT.find(file)
    if known is None or known.identity != identity:
        known = _probe(runner, identity)
        write_atomically(file, _FORMAT.text(known).encode())
    return known


def _probe(runner: Runner, identity: str) -> Capabilities:
    version = runner.run(Command(argv=("nix", "--version"), deadline=30)).text.strip()
    for words in (("config", "show"), ("show-config",)):
        done = runner.run(Command(argv=("nix", *words, *_FEATURES, "--json"), deadline=30))
        if done.ok:
            break
    else:
        raise StoreError(
            "nix cannot show its configuration",
            hint="try it: nix show-config",
            details=done.stderr_tail(),
        )
    settings = {name: entry.get("value") for name, entry in json.loads(done.stdout).items()}
    return Capabilities(
        identity=identity,
        version=version.rpartition(" ")[2],
        implementation="lix" if "Lix" in version else "nix",
        system=str(settings.get("system")),
        sandbox=str(settings.get("sandbox")).lower(),
        config_command=" ".join(words),
    )
