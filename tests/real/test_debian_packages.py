"""Debian packages from the store: they run, have small closures, and are built reproducibly."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from debian_base import NIX, OPTIONS, DebianBase

from nixgen.debian import apt
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

PROGRAMS = {
    "bash": ("bash --version", "GNU bash"),
    "coreutils": ("ls --version", "coreutils"),
    "curl": ("curl --version", "libcurl"),
    "git": ("git --version", "git version"),
    # links of update-alternatives, with a loop in the maintainer script and without one
    "netcat-openbsd": ("nc -h", "OpenBSD netcat"),
    "vim": ("vi --version", "VIM - Vi IMproved"),
    # a package that has nothing but a dependency
    "redis-meta": ("redis-server --version", "Redis server"),
    "nginx": ("nginx -v", "nginx version"),
    "nodejs": ("node -p typeof(fetch)", "function"),
    "openssl": ("openssl version", "OpenSSL 3"),
    "postgresql": ("postgres --version", "PostgreSQL"),
    "python3": ("python3 -c import\tssl,sqlite3", ""),
    "redis": ("redis-server --version", "Redis server"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> DebianBase:
    return DebianBase.locked(
        [*PROGRAMS, "cacert"],
        tmp_path_factory.mktemp("lock"),
        {"redis-meta": ("redis",)},
    )


def closure(path: str) -> list[str]:
    done = subprocess.run(["nix-store", "-qR", path], capture_output=True, text=True, check=True)
    return [line.split("-", 1)[1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("attribute", sorted(PROGRAMS))
def test_programs_run_from_the_store(base: DebianBase, attribute: str) -> None:
    command, answer = PROGRAMS[attribute]
    program, *arguments = command.split(" ")
    path = base.path(f"pkgs.{attribute}")
    argv = [f"{path}/bin/{program}", *arguments]
    done = subprocess.run(argv, env={}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert answer in done.stdout + done.stderr


def test_a_closure_has_only_needed_packages(base: DebianBase) -> None:
    names = closure(base.path("pkgs.nginx"))
    assert any(name.startswith("libssl3") for name in names)
    assert len(names) < 12
    assert not [
        name for name in names if name.startswith(("perl", "python", "debconf", "nginx-common"))
    ]


@pytest.mark.parametrize("sandbox", ["true", "false"])
@pytest.mark.parametrize("attribute", ["openssl", "python3"])
def test_building_again_gives_the_same_bytes(
    base: DebianBase, attribute: str, sandbox: str
) -> None:
    if sandbox == "true" and OPTIONS.drop_sandbox:
        pytest.skip("Nix's sandbox needs user namespaces, and this process may not make any")
    base.path(f"pkgs.{attribute}")
    done = base.build(f"pkgs.{attribute}", "--check", "--option", "sandbox", sandbox)
    assert done.returncode == 0, done.stderr[-3000:]


def test_python_does_not_change_its_own_store_path(base: DebianBase) -> None:
    """Root may write to the store, and Python would write missing byte code there."""
    path = base.path("pkgs.python3")
    modules = "json, sqlite3, ssl, asyncio, xml.dom.minidom, http.server, ctypes, decimal"
    for program in ("bin/python3", "usr/bin/python3.11"):
        subprocess.run(
            [f"{path}/{program}", "-c", f"import {modules}"], env={}, check=True, timeout=60
        )
    subprocess.run(["nix-store", "--verify-path", path], check=True, timeout=60)


@pytest.mark.parametrize("more", ["", "pkgs.openssl"])
def test_programs_of_an_image_find_certificates_where_openssl_looks(
    base: DebianBase, more: str
) -> None:
    """Python has OpenSSL's library, not its package, which has the link to the certificates."""
    expression = f'image {{ name = "t"; contents = [ pkgs.python3 pkgs.cacert {more} ]; }}'
    root = Path(json.loads(Path(base.path(expression)).read_text())["root"])
    link = root / "usr/lib/ssl/cert.pem"
    assert str(link.readlink()) == "/etc/ssl/certs/ca-certificates.crt"
    certificates = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert certificates.count("BEGIN CERTIFICATE") > 100


def test_an_image_describes_itself_and_its_closure(base: DebianBase) -> None:
    expression = (
        'image { name = "t"; contents = [ pkgs.curl pkgs.cacert ]; users.app = { uid = 7; gid = 8; home = "/"; };'
        ' extra = [ (pkgs.writeText "beside" "x") ];'
        ' config = { Cmd = [ "${pkgs.openssl}/bin/openssl" "a\\"narHash\\":\\n" ]; }; }'
    )
    document = json.loads(Path(base.path(expression)).read_text())
    paths = {entry["path"] for entry in document["closure"]}
    assert document["schema"] == "nixgen/image/1"
    assert document["root"] in paths
    assert document["config"]["Cmd"][0].removesuffix("/bin/openssl") in paths
    assert {r for entry in document["closure"] for r in entry["references"]} <= paths
    assert any(path.endswith("-beside") for path in paths)
    root = Path(document["root"])
    assert "app:x:7:8::/:" in (root / "etc/passwd").read_text()
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 50


#: A line of a text file, and what becomes of it where only /usr/share/x and /usr/bin/run exist.
PATHS_IN_TEXT = {
    'data = "/usr/share/x/words"': 'data = "STORE/share/x/words"',
    "cd /usr/share/x; exec /usr/bin/run": "cd STORE/share/x; exec STORE/bin/run",
    "PATH=/usr/share/x:/usr/bin/run": "PATH=STORE/share/x:STORE/bin/run",
    "<dir>/usr/share/x</dir>": "<dir>STORE/share/x</dir>",
    "for each in /usr/share/x/*.conf": "for each in STORE/share/x/*.conf",
    "file:///usr/share/x/words": "file://STORE/share/x/words",
    ". /usr/share/x/part-$number": ". STORE/share/x/part-$number",
    "open(b'/usr/share/x')": "open(b'STORE/share/x')",
    # parts of other paths
    "/usr/share/xy /usr/share/x-$version /usr/share/x{,y}": None,
    '$root/usr/share/x ${root}/usr/share/x "$root"/usr/share/x': None,
    "/opt/usr/share/x ~/usr/share/x ../usr/share/x http://host/usr/share/x": None,
    "/usr/share/none /usr/share /usr/bin/runs": None,
}


def test_text_with_absolute_paths_leads_into_the_store(base: DebianBase, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("".join(f"{line}\n" for line in PATHS_IN_TEXT))
    (tmp_path / "map").write_text(
        "/usr/share/x STORE/share/x\n/usr/share/x/words STORE/share/x/words\n/usr/bin/run STORE/bin/run\n"
    )
    rewritten = base.path(
        'debian.runBusybox "rewritten" {} '
        f"'' cp ${{{tmp_path}/text}} text;"
        f" awk -v map=${{{tmp_path}/map}} -f ${{{NIX}/bases/debian/absolute-paths/rewrite.awk}} text; cp text.rewritten $out ''"
    )
    assert Path(rewritten).read_text().splitlines() == [
        line if result is None else result for line, result in PATHS_IN_TEXT.items()
    ]


def test_an_image_has_links_where_binaries_look(base: DebianBase) -> None:
    """No folder of these is data that an image links for each package: only the binaries name it."""
    expression = (
        'image { name = "t"; contents = [ pkgs.git ]; config.Cmd = [ "${pkgs.nginx}/bin/nginx" ]; }'
    )
    root = Path(json.loads(Path(base.path(expression)).read_text())["root"])
    git, nginx = root / "usr/lib/git-core", root / "usr/share/nginx"
    assert git.is_symlink()
    assert (git / "git-remote-https").exists()
    # of a package that nginx declares, and that nothing in it refers to
    assert "-nginx-common-" in str(nginx.readlink())
    # git starts programs by the shell
    assert str((root / "bin/sh").readlink()).endswith("-busybox/bin/sh")


def evil(kind: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        infos = {
            "absolute": [tarfile.TarInfo("/tmp/evil")],
            "parent": [tarfile.TarInfo("./../evil")],
            "device": [tarfile.TarInfo("./dev/null")],
            "link": [tarfile.TarInfo("./a"), tarfile.TarInfo("./a/evil")],
        }[kind]
        if kind == "device":
            infos[0].type = tarfile.CHRTYPE
        if kind == "link":
            infos[0].type, infos[0].linkname = tarfile.SYMTYPE, "/tmp"
        for info in infos:
            tar.addfile(info)
    data = buffer.getvalue()
    return (
        b"!<arch>\n"
        + f"{'data.tar':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        + data
    )


@pytest.mark.parametrize("kind", ["absolute", "parent", "device", "link"])
def test_malicious_archives_are_refused(base: DebianBase, tmp_path: Path, kind: str) -> None:
    (tmp_path / "evil.deb").write_bytes(evil(kind))
    done = base.build(
        f'debian.runBusybox "evil" {{ deb = {tmp_path}/evil.deb; }} '
        f"'' . ${{{NIX}/bases/debian/unpack.sh}}; mkdir $out; unpack $deb $out ''"
    )
    assert done.returncode != 0
    assert "refusing" in done.stderr


def test_the_error_without_a_lock_has_a_hint() -> None:
    expression = f'(import {NIX} {{ base = "debian"; system = "x86_64-linux"; }}).pkgs.nginx'
    argv = ["nix-instantiate", "--eval", "-E", expression]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert "nixgen inputs update" in done.stderr


def test_apt_keeps_its_parsed_lists_in_a_writable_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(apt, "_OWN_CACHE", tmp_path / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = apt.targets(SubprocessRunner())
    kept = tmp_path / "nixgen/debian/apt/pkgcache.bin"
    written = kept.stat().st_ino
    assert apt.targets(SubprocessRunner()) == first != ()
    assert kept.stat().st_ino == written

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert apt.targets(SubprocessRunner()) == first
