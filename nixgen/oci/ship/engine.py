"""Container engines: find one that works, load an image, run it, and remove everything afterwards.

podman gets its own storage root, so nixgen neither sees nor changes the user's images. docker is one
daemon for all users, so nixgen names and removes only the images and containers that it made.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from attrs import evolve, field, frozen

from nixgen.errors import EngineError, MissingToolError, NixgenError, WorkError
from nixgen.programs.command import Command, Completed
from nixgen.programs.runner import Runner

__all__ = ["Engine", "RunningContainer", "find_engine", "load", "remove_storage", "run"]

_LOAD_SECONDS = 600.0
_SHORT_SECONDS = 60.0
_STOP_SECONDS = 3
# Some hosts do not let podman set its default limit of processes; they accept this one.
_PROCESSES = 32768
# vfs copies every layer in full, so it comes last, for hosts where nothing can be mounted.
_DRIVERS = ("overlay", "vfs")
_LABEL = "nixgen.owner=nixgen"


@frozen(kw_only=True)
class Engine:
    """A container engine that works on this host.

    :param kind: of the engine.
    :param version: of the engine.
    :param command: the program and its global arguments.
    :param run_arguments: arguments that every container needs on this host.
    :param storage: podman's storage root; None for docker.
    """

    kind: Literal["podman", "docker"]
    version: str
    command: tuple[str, ...]
    run_arguments: tuple[str, ...] = ()
    storage: Path | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"


@frozen(kw_only=True)
class RunningContainer:
    """A container that runs as long as the ``with`` block of `run`.

    :param engine: runs the container.
    :param id: of the container.
    :param runner: runs the engine's program.
    """

    engine: Engine
    id: str
    runner: Runner = field(repr=False)

    def logs(self) -> str:
        """The output and the errors of the container up to now."""
        done = _call(self.runner, self.engine, "logs", self.id)
        return done.text + done.stderr.decode("utf-8", "replace")

    def wait(self, seconds: float | None = None) -> int:
        """Wait for the end of the container, and return the exit status of its program.

        :param seconds: how long to wait; None waits without limit.
        :raises EngineError: it still runs after ``seconds``.
        """
        try:
            done = _call(self.runner, self.engine, "wait", self.id, deadline=seconds)
        except WorkError as error:
            raise EngineError(
                f"the container still runs after {seconds or 0:g} s",
                hint="its last lines of output are below",
                details=self.logs().splitlines()[-25:],
            ) from error
        return int(_checked(done, "wait for the container").text)

    def running(self) -> bool:
        """Whether the container runs."""
        done = _call(self.runner, self.engine, "inspect", "--format", "{{.State.Running}}", self.id)
        return done.ok and done.text.strip() == "true"

    def run(self, *argv: str) -> Completed:
        """Run another program in the container.

        :param argv: the program and its arguments.
        :returns: its result; a status other than 0 is no error.
        """
        return _call(self.runner, self.engine, "exec", self.id, *argv)


def find_engine(runner: Runner, storage: Path) -> Engine:
    """Find the first engine that works: podman, then a docker daemon.

    :param runner: runs the engines' programs.
    :param storage: folder for podman's images and containers.
    :raises EngineError: none works; the details are their messages.
    """
    answers = []
    if shutil.which("podman"):
        for driver in _DRIVERS:
            engine = _podman(storage, driver)
            done = _call(runner, engine, "info", "--format", "json")
            if done.ok:
                return _versioned(engine, done)
            answers += [f"podman ({driver}): {line}" for line in done.stderr_tail(2)]
    if shutil.which("docker"):
        docker = Engine(kind="docker", version="", command=("docker",))
        done = _call(runner, docker, "version", "--format", "{{.Server.Version}}")
        if done.ok:
            return evolve(docker, version=done.text.strip())
        answers += [f"docker: {line}" for line in done.stderr_tail(2)]
    raise EngineError(
        "no container engine works here",
        hint="install one: apt-get install podman runc",
        details=answers or ["neither podman nor docker is on PATH"],
    )


def load(layout: Path, engine: Engine, runner: Runner) -> str:
    """Load the image of an OCI layout into an engine, unless the engine has it.

    :param layout: the folder.
    :param engine: gets the image.
    :param runner: runs the engine's program, or skopeo.
    :returns: the engine's name of the image.
    :raises EngineError: the layout is not one, or the engine refuses it.
    """
    ref, image_id, manifest = _identity(layout)
    name = f"localhost/{ref}"
    if _call(runner, engine, "image", "inspect", image_id).ok:
        _checked(_call(runner, engine, "tag", image_id, name), f"tag {name}")
        return name
    if engine.kind == "podman":
        # podman makes an image name of the path, and refuses paths that are no names, such as .nixgen.
        # So it runs in the folder above, and gets the layout's own name only.
        argv = (*engine.command, "pull", "--quiet", f"oci:{layout.name}:{ref}")
        done = runner.run(Command(argv=argv, cwd=layout.absolute().parent, deadline=_LOAD_SECONDS))
        _checked(done, f"load {layout}")
        _checked(_call(runner, engine, "tag", image_id, name), f"tag {name}")
        return name
    if "+zstd" in manifest:
        raise EngineError(
            "docker cannot be given layers that zstd compressed",
            hint="build the image with gzip layers, or install podman",
        )
    # The docker daemon reads OCI layouts from version 25 on; skopeo can load into all versions.
    argv = ("skopeo", "copy", "--quiet", f"oci:{layout}:{ref}", f"docker-daemon:{name}")
    try:
        done = runner.run(Command(argv=argv, deadline=_LOAD_SECONDS))
    except MissingToolError as error:
        raise EngineError(
            "loading an image into docker needs skopeo", hint="apt-get install skopeo"
        ) from error
    _checked(done, f"load {layout} into docker")
    return name


@contextmanager
def run(
    image: str,
    engine: Engine,
    runner: Runner,
    *,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    ports: Mapping[int, int] | None = None,
) -> Iterator[RunningContainer]:
    """Run a loaded image in the background. The end of the ``with`` block stops and removes it.

    :param image: the engine's name of the image.
    :param engine: runs the container.
    :param runner: runs the engine's program.
    :param args: replace the image's command (after its entrypoint).
    :param env: further environment variables.
    :param ports: container port by host port on 127.0.0.1. None gives the container the host's own
        network, where the program listens on the ports that it chooses.
    :raises EngineError: it does not start.
    """
    network: list[str] = ["--network=host"] if ports is None else []
    for host, container in sorted((ports or {}).items()):
        network += ["--publish", f"127.0.0.1:{host}:{container}"]
    variables = [
        item for key, value in sorted((env or {}).items()) for item in ("--env", f"{key}={value}")
    ]
    # Named before it exists, so that it is removed even when an interrupt comes while it is made.
    name = f"nixgen-{secrets.token_hex(8)}"
    try:
        created = _call(
            runner,
            engine,
            "create",
            "--pull=never",
            f"--name={name}",
            f"--label={_LABEL}",
            *network,
            *engine.run_arguments,
            *variables,
            image,
            *args,
        )
        identity = _checked(created, f"create a container of {image}").text.strip()
        _checked(_call(runner, engine, "start", name), f"start {image}")
        yield RunningContainer(engine=engine, id=identity, runner=runner)
    finally:
        # An error of these commands must not hide the first error.
        for arguments in (("stop", "--time", str(_STOP_SECONDS)), ("rm", "--force")):
            with suppress(NixgenError):
                _call(runner, engine, *arguments, name)


def remove_storage(engine: Engine, runner: Runner) -> None:
    """Remove podman's storage root with all its content. For docker, do nothing.

    ``podman system reset`` is no help: it also removes the storage of the user's own configuration.

    :param engine: the engine.
    :param runner: runs podman and umount.
    """
    if engine.storage is None:
        return
    _checked(_call(runner, engine, "rm", "--all", "--force"), "remove its containers")
    _checked(_call(runner, engine, "rmi", "--all", "--force"), "remove its images")
    run_roots = [Path(_run_root(engine.storage, driver)) for driver in _DRIVERS]
    for folder in (engine.storage, *run_roots):
        for mount in _mounts_below(folder):
            runner.run(Command(argv=("umount", mount), deadline=_SHORT_SECONDS))
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    """The mount points below a folder, innermost first: the overlay driver mounts its own folder."""
    lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    top = f"{folder.absolute()}/"
    return [
        point for point in reversed([line.split()[1] for line in lines]) if point.startswith(top)
    ]


def _podman(storage: Path, driver: str) -> Engine:
    command = [
        "podman",
        "--root",
        str(storage / driver),
        "--runroot",
        _run_root(storage, driver),
        "--storage-driver",
        driver,
        "--cgroup-manager",
        "systemd" if Path("/run/systemd/system").is_dir() else "cgroupfs",
    ]
    # crun refuses hosts with both cgroup hierarchies; runc does not.
    if shutil.which("runc"):
        command += ["--runtime", "runc"]
    return Engine(
        kind="podman",
        version="",
        command=tuple(command),
        run_arguments=_limits(),
        storage=storage,
    )


def _run_root(storage: Path, driver: str) -> str:
    """A short path for podman's run directory of ``storage``; podman refuses more than 50 bytes.

    It lies in a folder where no other user can make it, and which a reboot empties, as podman requires.
    """
    mark = hashlib.sha256(os.fsencode(storage.absolute())).hexdigest()[:8]
    top = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir())
    return f"{top}/nixgen-{mark}-{driver}"


def _limits() -> tuple[str, ...]:
    """The limits of a container. A host without CAP_SYS_RESOURCE refuses podman's higher defaults."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    files = 1 << 20 if files == resource.RLIM_INFINITY else files
    processes = _PROCESSES if processes == resource.RLIM_INFINITY else min(processes, _PROCESSES)
    return (f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={processes}:{processes}")


def _versioned(engine: Engine, info: Completed) -> Engine:
    try:
        version = str(json.loads(info.stdout)["version"]["Version"])
    except (ValueError, KeyError, TypeError):
        version = "of unknown version"
    return evolve(engine, version=version)


def _identity(layout: Path) -> tuple[str, str, str]:
    """The name with its tag, the image ID, and the manifest of the only image in a layout."""
    try:
        index = json.loads((layout / "index.json").read_bytes())["manifests"][0]
        digest: str = index["digest"]
        blob = layout / "blobs" / "sha256" / digest.removeprefix("sha256:")
        manifest = blob.read_text("utf-8")
        ref: str = index["annotations"]["org.opencontainers.image.ref.name"]
        image_id: str = json.loads(manifest)["config"]["digest"].removeprefix("sha256:")
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise EngineError(
            f"{layout} is not an OCI layout of nixgen: {error}",
            hint="nixgen image build writes one",
        ) from error
    return ref, image_id, manifest


def _call(
    runner: Runner, engine: Engine, *arguments: str, deadline: float | None = _SHORT_SECONDS
) -> Completed:
    return runner.run(Command(argv=(*engine.command, *arguments), deadline=deadline))


def _checked(done: Completed, purpose: str) -> Completed:
    if done.ok:
        return done
    raise EngineError(
        f"the container engine could not {purpose} (exit status {done.status})",
        hint="nixgen doctor checks the engine; the last lines it wrote are below",
        details=done.stderr_tail(),
    )
