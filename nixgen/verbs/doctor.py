"""``nixgen doctor``: find out what this computer lacks, and the command that installs it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from nixgen.driver.build.builders import Builders, BuildMachine
from nixgen.driver.commands import access
from nixgen.driver.tools.formatting import Formatter
from nixgen.errors import NixgenError
from nixgen.programs.child import APT_PACKAGES
from nixgen.programs.command import Command
from nixgen.programs.runner import SubprocessRunner
from nixgen.vm.qemu.accel import virtualises

__all__ = ["Finding", "examine"]


@attrs.frozen(kw_only=True)
class Finding:
    """The result of one check.

    :param name: what was checked.
    :param detail: what was found, or what is wrong.
    :param needed_for: what does not work without it. Required things say ``everything``.
    :param mend: the command that repairs it; None when nothing is wrong.
    :ivar ok: whether nothing is wrong.
    """

    name: str
    detail: str
    needed_for: str
    mend: str | None = None
    ok: bool = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.mend is None, takes_self=True)
    )

    @property
    def required(self) -> bool:
        """True if nixgen can do nothing without it."""
        return self.needed_for == EVERYTHING


EVERYTHING = "everything"
#: Program → the verb that needs it.
_PROGRAMS = {
    "git": "the commit in results.json",
    "qemu-system-x86_64": "nixgen test run",
    "mksquashfs": "nixgen test run",
}
_GIB = 1 << 30


def examine(folder: Path) -> tuple[Finding, ...]:
    """Make all checks. Nothing is changed, and no failure is raised.

    :param folder: the folder of the project. It need not exist.
    """
    return tuple(finding for look in _LOOKS for finding in look(folder))


def _version(*argv: str) -> str | None:
    try:
        done = SubprocessRunner().run(Command(argv=argv, deadline=20))
    except NixgenError:
        return None
    lines = (done.text or "\n".join(done.stderr_tail())).splitlines()
    return lines[0].strip() if done.ok and lines else None


def _absent(name: str, needed_for: str, package: str) -> Finding:
    mend = f"apt-get install {package}"
    return Finding(name=name, detail="not found", needed_for=needed_for, mend=mend)


def _python(_folder: Path) -> Iterator[Finding]:
    yield Finding(
        name="Python",
        detail=sys.version.split()[0],
        needed_for=EVERYTHING,
        mend=None if sys.version_info >= (3, 11) else "apt-get install python3",
    )


def _nix(_folder: Path) -> Iterator[Finding]:
    version = _version("nix-instantiate", "--version")
    if version is None:
        yield _absent("Nix", EVERYTHING, "nix-bin")
        return
    yield Finding(name="Nix", detail=version, needed_for=EVERYTHING)
    refused = access.refusal()
    how = "written directly" if access.writes_directly() else "through the daemon"
    yield Finding(
        name="Nix store",
        detail=refused.message if refused else how,
        needed_for=EVERYTHING,
        mend=refused.remedy if refused else None,
    )


def _mirror(_folder: Path) -> Iterator[Finding]:
    given = os.environ.get("NIXGEN_DEBIAN_MIRROR")
    lists = list(Path("/var/lib/apt/lists").glob("*_Packages*"))
    apt = shutil.which("apt-get")
    mend = None
    if given:
        detail = "from NIXGEN_DEBIAN_MIRROR"
    elif not apt:
        detail = "no apt, and NIXGEN_DEBIAN_MIRROR is not set"
        mend = "export NIXGEN_DEBIAN_MIRROR=<the URL of a Debian mirror, ending in /debian>"
    elif not lists:
        detail, mend = "apt has no package lists yet", "apt-get update"
    else:
        detail = f"from apt ({len(lists)} package lists)"
    yield Finding(name="Debian mirror", detail=detail, needed_for="the debian base", mend=mend)


def _programs(_folder: Path) -> Iterator[Finding]:
    for program, purpose in _PROGRAMS.items():
        path = shutil.which(program)
        version = path and (_version(program, "--version") or _version(program, "-version"))
        yield Finding(
            name=program,
            detail=version or path or "not found",
            needed_for=purpose,
            mend=None if path else f"apt-get install {APT_PACKAGES[program]}",
        )


def _formatter(_folder: Path) -> Iterator[Finding]:
    try:
        Formatter.find(SubprocessRunner())
        trouble = None
    except NixgenError as error:
        trouble = error.message
    yield Finding(
        name="nixfmt",
        detail=trouble or _version("nixfmt", "--version") or "of RFC 166",
        needed_for="nixgen fmt",
        mend="nix profile install nixpkgs#nixfmt" if trouble else None,
    )


def _acceleration(_folder: Path) -> Iterator[Finding]:
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK) and virtualises(Path("/proc/cpuinfo"))
    yield Finding(
        name="KVM",  # nothing is wrong without it: machines boot, about ten times slower
        detail="looks usable" if usable else "not usable: machines run under software emulation",
        needed_for="faster tests",
    )


def _engine(_folder: Path) -> Iterator[Finding]:
    path = shutil.which("podman") or shutil.which("docker")
    yield Finding(
        name="container engine",
        detail=(_version(path, "--version") or path) if path else "neither podman nor docker",
        needed_for="running images",
        mend=None if path else "apt-get install podman",
    )


def _emulator(_folder: Path) -> Iterator[Finding]:
    from nixgen.cache.serve.emulator import installed

    ok = installed()
    yield Finding(
        name="S3 emulator",
        detail="moto" if ok else "not installed",
        needed_for="nixgen cache serve --embedded",
        mend=None if ok else "pip install 'nixgen[emulator]'",
    )


def _builders(folder: Path) -> Iterator[Finding]:
    """Log in to each remote builder of the generated tree, with the options of a build."""
    try:
        builders = Builders.parse((folder / "generated/builders").read_text())
    except (OSError, UnicodeDecodeError, NixgenError):
        return
    path = shutil.which("ssh")
    if path is None:
        yield _absent("ssh", _REMOTE, APT_PACKAGES["ssh"])
        return
    for machine in builders.machines:
        yield _unusable_key(machine) or _answer(machine)


_REMOTE = "nixgen build --builders"


def _unusable_key(machine: BuildMachine) -> Finding | None:
    if machine.key is None:
        return None
    try:
        Path(machine.key).open("rb").close()
        shared = Path(machine.key).stat().st_mode & 0o077
    except OSError as error:
        wrong, mend = f"{machine.key}: {error.strerror}", f"ssh-keygen -t ed25519 -f {machine.key}"
    else:
        if not shared:
            return None
        wrong, mend = f"others can read {machine.key}", f"chmod 600 {machine.key}"
    return Finding(name=f"builder {machine.name}", detail=wrong, needed_for=_REMOTE, mend=mend)


def _answer(machine: BuildMachine) -> Finding:
    with tempfile.TemporaryDirectory(prefix="nixgen-doctor-") as known:
        try:
            done = SubprocessRunner().run(machine.ask_version(Path(known)))
        except NixgenError as error:
            detail, ok = error.message, False
        else:
            ok = done.ok
            detail = done.text.strip() if ok else machine.error(done.stderr_tail()).message
    return Finding(
        name=f"builder {machine.name}",
        detail=detail,
        needed_for=_REMOTE,
        mend=None if ok else machine.trial,
    )


def _space(folder: Path) -> Iterator[Finding]:
    for place in dict.fromkeys((Path("/nix") if Path("/nix").exists() else Path("/"), folder)):
        mend: str | None = f"mkdir -p {place}"
        try:
            free = shutil.disk_usage(place).free
        except OSError as error:
            detail = str(error)
        else:
            detail = f"{free / _GIB:.1f} GiB free"
            mend = None if free > 2 * _GIB else "nix-collect-garbage"
        yield Finding(name=f"space in {place}", detail=detail, needed_for=EVERYTHING, mend=mend)


_LOOKS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    _python,
    _nix,
    _mirror,
    _programs,
    _formatter,
    _acceleration,
    _engine,
    _emulator,
    _builders,
    _space,
)
