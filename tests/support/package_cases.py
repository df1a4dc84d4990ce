"""One real action of each Debian package, and the roots that it runs in."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

#: The person of both roots that is not root, for programs that refuse to run as root.
USER = 1000


@frozen
class PackageCase:
    """An attribute of the Debian base and a script that uses it.

    :param attribute: Name in ``pkgs``, and of the row in docs/packages.md.
    :param action: What the script does, in a few words, for the table.
    :param script: POSIX shell. It runs in an empty folder that it may write to, with the package's
        ``bin`` first on PATH and busybox after it, with no network but loopback.
    :param expect: Text that the script's output has when the action was done.
    :param debian: Debian packages, when the attribute's own name does not lead to them.
    :param also: Further attributes whose programs the script calls.
    :param as_user: Run as an ordinary user, for programs that refuse root.
    :param quick: Part of ``scripts/test``; all others run with ``scripts/packages``.
    """

    attribute: str
    action: str
    script: str
    expect: str
    debian: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    as_user: bool = False
    quick: bool = False


@frozen
class Ran:
    """Status and output of a script in a root."""

    status: int
    output: str


CASES = Path(__file__).parents[1] / "packages/cases"


def all_cases() -> list[PackageCase]:
    """The cases of all files of tests/packages/cases, by file."""
    found: list[PackageCase] = []
    for file in sorted(CASES.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"package_cases_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.extend(module.CASES)
    return found


def closure(paths: Iterable[str]) -> list[str]:
    """The store paths and everything that they refer to."""
    argv = ["nix-store", "-qR", *paths]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


def closure_size(paths: Iterable[str]) -> int:
    """Bytes of the NARs of store paths, and of everything that they refer to."""
    argv = ["nix-store", "-q", "--size", *closure(paths)]
    sizes = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return sum(map(int, sizes))


# Everything happens in namespaces of its own, so nothing outlives the script: neither mounts nor
# processes nor ports. $1: the root, $2: busybox, $3: the user, $4: the script, then store paths.
_ENTER = r"""
set -eu
root=$1 busybox=$2 user=$3 script=$4
shift 4
ip link set lo up 2>/dev/null || "$busybox/bin/busybox" ip link set lo up
mkdir -p "$root/nix/store" "$root/proc" "$root/sys" "$root/dev/pts" "$root/dev/shm" "$root/tmp" "$root/case" "$root/tools"
for path in "$@"; do
  target=$root$path
  if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "$target"; else : > "$target"; fi
  mount --bind "$path" "$target"
done
for tool in $("$busybox/bin/busybox" --list); do ln -sf "$busybox/bin/busybox" "$root/tools/$tool"; done
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"
ln -sf /proc/self/fd "$root/dev/fd"
ln -sf /proc/self/fd/0 "$root/dev/stdin"
ln -sf /proc/self/fd/1 "$root/dev/stdout"
ln -sf /proc/self/fd/2 "$root/dev/stderr"
chmod 1777 "$root/tmp" "$root/dev/shm"
chown "$user" "$root/case"
cp "$script" "$root/tools/script"
cd "$root/case"
exec chroot --userspec="$user:$user" "$root" "$busybox/bin/busybox" env -i PATH="$NIXGEN_PATH" HOME=/case TMPDIR=/tmp \
  "$busybox/bin/busybox" sh -euc 'cd /case; . /tools/script'
"""


def run_in(
    root: Path, case: PackageCase, *, programs: Iterable[str], store: Iterable[str], busybox: str
) -> Ran:
    """Run a case's script where nothing is visible but a root and some store paths.

    :param root: Folder that becomes ``/``. It is written to.
    :param case: The case.
    :param programs: Store paths whose ``bin`` is on PATH, in this order.
    :param store: Store paths that are visible, without busybox.
    :param busybox: Store path of busybox, for the shell of the script and the small tools in it.
    """
    script = root.parent / f"{root.name}.sh"
    script.write_text(case.script)
    path = ":".join([*(f"{each}/bin" for each in programs), "/tools"])
    user = "0" if not case.as_user else str(USER)
    visible = sorted({*store, busybox})
    argv = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        argv += ["--user", "--map-root-user"]
    argv += ["sh", "-c", _ENTER, "enter", str(root), busybox, user, str(script), *visible]
    done = subprocess.run(
        argv,
        env={"PATH": os.environ["PATH"], "NIXGEN_PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=900,
    )
    return Ran(done.returncode, done.stdout)


def store_root(folder: Path, busybox: str) -> Path:
    """Make a root that has what every Linux has, and no /usr: people, host names, a shell."""
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/passwd").write_text(
        f"root:x:0:0::/case:/bin/sh\nuser:x:{USER}:{USER}::/case:/bin/sh\n"
    )
    (folder / "etc/group").write_text(f"root:x:0:\nuser:x:{USER}:\n")
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (folder / "bin").mkdir()
    (folder / "bin/sh").symlink_to(f"{busybox}/bin/sh")
    return folder


def image_root(folder: Path, description: Path) -> tuple[Path, list[str]]:
    """Make the root of an image as an engine would unpack it; its store paths beside it.

    :param folder: Folder to make.
    :param description: The image's ``image.json``.
    """
    document = json.loads(description.read_text())
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-dR", document["root"], str(folder)], check=True)
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    # engines write this file
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return folder, [entry["path"] for entry in document["closure"]]
