"""Builds on another store over a real sshd: outputs are copied here, and each failure has a message."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from attrs import evolve, frozen

pytestmark = pytest.mark.real

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")

INFRA = """\
from nixgen import Builder, ConfigFile, Image, Project

script = ConfigFile("far.sh", {words!r}, executable=True)
project = Project("far", images=[Image("far", command=[script])], builders=[{builders}])
"""


def run(*argv: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, argv)), capture_output=True, text=True, check=False, **options
    )


#: Seconds after which a test hangs. No test measures time: each waits for an event, or for the end of
#: the process that would cause it.
HANGS = 600
#: ssh takes the first value of an option. Its own limits would call a slow computer unreachable.
PATIENT = f"-oConnectTimeout={HANGS} -oServerAliveInterval={HANGS}"


def wait_for(condition, what: str, process: subprocess.Popen | None = None) -> None:
    """Wait for a condition.

    :param process: the condition cannot come true after the end of this one.
    """
    end = time.monotonic() + HANGS
    while not condition():
        ended = process is not None and process.poll() is not None
        if ended and not condition():
            pytest.fail(f"status {process.returncode} before: {what}\n{process.communicate()}")
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.02)


@frozen
class Host:
    """A host with another store: an sshd whose only command runs Nix with an empty folder over /nix."""

    folder: Path
    port: int

    def builder(self, name: str = "big-1", **changes: object) -> str:
        """The line of infra.py that describes the host."""
        fields = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "root",
            "ssh_key": str(self.folder / "user"),
            "host_key": (self.folder / "host.pub").read_text().strip(),
            **changes,
        }
        return (
            f"Builder({name!r}, {', '.join(f'{key}={value!r}' for key, value in fields.items())})"
        )

    def holds(self, path: str) -> bool:
        """Whether that store path is in the store of this computer."""
        return (self.folder / path.removeprefix("/")).exists()

    @property
    def sessions(self) -> list[tuple[int, int]]:
        """The processes of each login so far: that of Nix, and its parent sshd."""
        lines = (self.folder / "sessions").read_text().splitlines()
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


def runs(pids: tuple[int, int]) -> bool:
    """Whether a process of Nix runs. A zombie has no command line."""
    try:
        return any(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
    except FileNotFoundError:
        return False


def end(pid: int, *names: str) -> None:
    """End a process that this module started, if its number is not another process now."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
        if any(name in command for name in names):
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass


@pytest.fixture(scope="module")
def far_store(tmp_path_factory):
    """The folder that is /nix on the host. Skips the tests if no such host can be made here."""
    if SSHD is None:
        pytest.skip("sshd is not installed (apt-get install openssh-server)")
    if os.geteuid() != 0:
        pytest.skip("only root may mount another store over /nix")
    nix = shutil.which("nix-daemon")
    if nix is None or Path(nix).resolve().is_relative_to("/nix"):
        pytest.skip("the programs of Nix are below /nix, and gone with another store mounted there")
    folder = tmp_path_factory.mktemp("far") / "nix"
    folder.mkdir()
    mounted = run("unshare", "--mount", "sh", "-c", f"mount --bind {folder} /nix")
    if mounted.returncode:
        pytest.skip(f"mounts cannot be made here: {mounted.stderr.strip()}")
    return folder


@pytest.fixture
def host(far_store):
    folder = far_store.parent
    for name in ("host", "user", "other"):
        if not (folder / name).exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    # A build can be held here: the host has reported it, but its output is not copied back yet.
    hook = folder / "after-build"
    hook.write_text(
        f"#!/bin/sh\n[ -e {folder}/hold ] && : >{folder}/holding\n"
        f"while [ -e {folder}/hold ]; do sleep 0.05; done\n"
    )
    command = folder / "command"
    command.write_text(
        "#!/bin/sh\n"
        f'echo "$$ $PPID" >>{folder}/sessions\n'
        f"export PATH={Path(shutil.which('nix-daemon')).parent}:$PATH\n"
        "export NIX_CONFIG='build-users-group =\nsandbox = false\nsubstituters =\n"
        f"post-build-hook = {hook}'\n"
        f"exec unshare --mount sh -c 'mount --bind {far_store} /nix && exec '\"$SSH_ORIGINAL_COMMAND\"\n"
    )
    for script in (hook, command):
        script.chmod(0o755)
    (folder / "sessions").write_text("")
    (folder / "authorized_keys").write_text(
        f'restrict,command="{command}" {(folder / "user.pub").read_text()}'
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\n"
        "StrictModes no\n"  # the folder for temporary files is everybody's
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, for privilege separation
    log = folder / "sshd.log"
    server = subprocess.Popen(
        [SSHD, "-D", "-E", log, "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL
    )
    computer = Host(folder, port)
    try:
        wait_for(
            lambda: "Server listening" in (log.read_text() if log.exists() else ""), "sshd", server
        )
        yield computer
    finally:
        (folder / "hold").unlink(missing_ok=True)
        server.terminate()
        server.wait(timeout=HANGS)
        log.unlink()
        for daemon, session in computer.sessions:
            end(session, "sshd")
            end(daemon, "nix-daemon")


@pytest.fixture(scope="module")
def project(command_line, tmp_path_factory):
    """A project of four small derivations that no store has. All tests share one lock."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(Path(__file__).parents[2] / "examples/hello/flake-inputs.json", folder)
    (folder / "infra.py").write_text(INFRA.format(words=str(uuid.uuid4()), builders=""))
    # Nix leaves its folder of a host key behind when it gives up a builder
    (temporary := folder / "tmp").mkdir()
    nixgen = command_line(
        folder=folder, environment={"TMPDIR": str(temporary), "NIX_SSHOPTS": PATIENT}
    )
    nixgen("build")
    return nixgen


@pytest.fixture
def nixgen(project):
    def describe(*builders: str):
        text = INFRA.format(words=str(uuid.uuid4()), builders=", ".join(builders))
        (project.folder / "infra.py").write_text(text)
        return project

    return describe


def error(done) -> str:
    """The only error line of a command, which must print no traceback."""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1, done.stderr
    return next(line for line in done.stderr.splitlines() if line.startswith("error: "))


def test_remote_outputs_are_copied_to_this_computer(host, nixgen):
    done = nixgen(host.builder())("build", "--builders", "all", "--jobs", 0, "--verbose")
    out = done.stdout.split()[-1]
    assert Path(out).is_file(), "the output is in this store"
    assert host.holds(out), "it was built in the other one"
    places = [line.split()[1:4] for line in done.stderr.splitlines() if line.startswith("built")]
    assert ["far-image.json", "on", "big-1"] in places
    assert all(place[1:] == ["on", "big-1"] for place in places)
    assert len(host.sessions) >= len(places) > 1


def test_results_name_the_machine_with_the_older_protocol_too(host, nixgen):
    project = nixgen(host.builder(protocol="ssh"))
    project = evolve(project, environment={**project.environment, "NIXGEN_BUILDERS": "big-1"})
    (target,) = project.document("build", "-j0")["targets"]
    assert (target["status"], target["machine"]) == ("built", "big-1")
    assert host.holds(target["outputs"]["out"])


def test_without_the_flag_nothing_is_built_remotely(host, nixgen):
    (target,) = nixgen(host.builder()).document("build")["targets"]
    assert (target["status"], target["machine"]) == ("built", None)
    assert not host.holds(target["outputs"]["out"])
    assert host.sessions == []


def test_nix_itself_reads_the_machines_file(host, nixgen, tmp_path):
    """Nix reads the generated file with its comments. Before 2.31, only the port needs ssh_config."""
    project = nixgen(host.builder())
    project("generate")
    machines = project.folder / "generated/builders"
    (tmp_path / "config").write_text(
        f"Host 127.0.0.1:{host.port}\nHostName 127.0.0.1\nPort {host.port}\n"
        f"HostKeyAlias 127.0.0.1:{host.port}\n"
    )
    expression = (
        'derivation { name = "plain"; system = "x86_64-linux"; builder = "builtin:fetchurl";'
        f' url = "file://{machines}"; unpack = false; outputHashMode = "flat"; outputHashAlgo = "sha256";'
        f' outputHash = "{uuid.uuid4().hex * 2}"; impureEnvVars = [ ]; }}'
    )
    done = run(
        "nix-build", "--expr", expression, "--no-out-link", "-j0",
        "--option", "builders", f"@{machines}", "--option", "build-users-group", "",
        "--option", "substituters", "",
        env={**os.environ, "NIX_SSHOPTS": f"{PATIENT} -F {tmp_path / 'config'}"},
    )  # fmt: skip
    # the hash is nobody's: that it is compared shows that the machine took the work
    assert f"on 'ssh-ng://root@127.0.0.1:{host.port}'" in done.stderr
    assert "hash mismatch" in done.stderr


def test_another_host_key_is_refused(host, nixgen):
    stranger = (host.folder / "other.pub").read_text().strip()
    project = nixgen(host.builder(host_key=stranger))
    done = project("build", "--builders", "all", "-j0", expect=3)
    assert "builder big-1 (127.0.0.1) shows another host key" in error(done)
    assert host.sessions == []


def test_an_unknown_host_key_is_refused(host, nixgen):
    project = nixgen(host.builder(host_key=None))
    done = project("build", "--builders", "all", "-j0", expect=3)
    assert "unknown host key" in error(done)
    assert host.sessions == []


def test_a_key_that_the_host_does_not_know_is_refused(host, nixgen):
    project = nixgen(host.builder(ssh_key=str(host.folder / "other")))
    done = project("build", "--builders", "all", "-j0", expect=3)
    assert "refuses the key, or the user" in error(done)
    assert f"ssh -i {host.folder / 'other'} -p {host.port} root@127.0.0.1 nix-store" in done.stderr


def test_an_unreachable_host_is_an_error_if_no_other_machine_may_build(host, nixgen):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused
        project = nixgen(host.builder("gone", port=unused.getsockname()[1]))
        done = project("build", "--builders", "all", "-j0", expect=3)
        assert "the builder gone (127.0.0.1) cannot be reached: Connection refused" in error(done)
        document = project.document("build", "--builders", "all", "-j0", expect=3)
        assert (document["kind"], document["exit"]) == ("BuilderError", 3)


def test_this_computer_builds_if_a_host_is_unreachable(host, nixgen):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = host.builder("gone", port=unused.getsockname()[1], speed_factor=9)
        done = nixgen(gone)("build", "--builders", "all")
        assert (
            done.stderr.count(
                "gone (127.0.0.1) cannot be reached: Connection refused; building here"
            )
            == 1
        )
        done = nixgen(gone, host.builder())("build", "--builders", "all", "-j0")
        assert done.stderr.count("Connection refused; building on big-1") == 1
        assert host.holds(done.stdout.split()[-1])


def test_features_that_no_builder_has_are_an_error(host, nixgen):
    project = nixgen(host.builder(systems=["riscv64-linux"]))
    done = project("build", "--builders", "all", "-j0", expect=3)
    assert "no builder can build far.sh: it needs x86_64-linux" in error(done)


def test_a_host_that_dies_during_a_build_is_an_error(host, nixgen):
    (host.folder / "hold").touch()
    (host.folder / "holding").unlink(missing_ok=True)
    project = nixgen(host.builder())
    building = project.start("build", "--builders", "all", "-j0")
    try:
        wait_for((host.folder / "holding").exists, "build on the other computer", building)
        for _, session in host.sessions:
            end(session, "sshd")
        out, err = building.communicate(timeout=HANGS)
    finally:
        building.kill()
        (host.folder / "hold").unlink()
    assert building.returncode == 3, err
    message = error(subprocess.CompletedProcess([], 3, out, err))
    assert "the builder big-1 (127.0.0.1) closed the connection" in message
    assert ", building far" in message
    assert project("build").stdout.startswith("built"), "and without it, the rest is built here"


def test_an_interrupted_build_leaves_no_process_on_the_host(host, nixgen):
    (host.folder / "hold").touch()
    (host.folder / "holding").unlink(missing_ok=True)
    building = nixgen(host.builder()).start("build", "--builders", "all", "-j0")
    try:
        wait_for((host.folder / "holding").exists, "build on the other computer", building)
        building.send_signal(signal.SIGINT)
        _, err = building.communicate(timeout=HANGS)
    finally:
        building.kill()
        (host.folder / "hold").unlink()
    assert building.returncode == 130, err
    wait_for(lambda: not any(map(runs, host.sessions)), "end of the logins")


def test_doctor_tries_every_builder(host, nixgen):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        project = nixgen(host.builder(), host.builder("gone", port=unused.getsockname()[1]))
        project("generate")
        findings = json.loads(project("doctor", "--json").stdout)["findings"]
    found = {row["name"]: row for row in findings if row["name"].startswith("builder")}
    assert found["builder big-1"]["ok"]
    assert found["builder big-1"]["detail"].startswith("nix-store (Nix)")
    assert not found["builder gone"]["ok"]
    assert "Connection refused" in found["builder gone"]["detail"]
    assert found["builder gone"]["mend"].startswith("ssh -i ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--builders", "bgi-1"), "did you mean big-1?"),
        (("--builders", "none", "--jobs", "0"), "nothing can be built"),
        (("--builders", "./none.here"), "cannot be read as a machines file"),
    ],
)
def test_wrong_arguments_have_the_status_two(host, nixgen, arguments, says):
    assert says in nixgen(host.builder())("build", *arguments, expect=2).stderr
