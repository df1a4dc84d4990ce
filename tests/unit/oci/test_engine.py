"""The commands for podman and docker, and the meaning of their answers."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from nixgen.errors import EngineError, MissingToolError, WorkError
from nixgen.oci.ship import engine as module
from nixgen.oci.ship.engine import Engine, RunningContainer, find_engine, load, remove_storage, run
from nixgen.programs.command import Command, Completed

Answer = Completed | Exception
DONE = Completed(status=0)
PODMAN = Engine(kind="podman", version="4", command=("podman", "--root", "x"))
DOCKER = Engine(kind="docker", version="25", command=("docker",))


class Engines:
    """A runner that answers by what a command contains, and keeps the commands.

    :param answers: words that stand one after another in a command, and the answer.
    """

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.commands: list[Command] = []

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        text = " ".join(command.argv)
        for words, answer in self.answers.items():
            if words.replace("_", " ") in text:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return DONE

    def lines(self, command: Command, on_line: object, **_: object) -> Completed:
        raise NotImplementedError

    @property
    def lines_run(self) -> list[str]:
        return [" ".join(command.argv) for command in self.commands]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Choose the programs that are installed."""

    def choose(*names: str) -> None:
        monkeypatch.setattr(
            module.shutil, "which", lambda name: f"/bin/{name}" if name in names else None
        )

    return choose


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An OCI layout without layers."""
    folder = tmp_path / ".nixgen"
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    manifest = {"config": {"digest": "sha256:c0ffee"}, "layers": [{"mediaType": "tar+gzip"}]}
    (blobs / "abc").write_text(json.dumps(manifest))
    index = {
        "digest": "sha256:abc",
        "annotations": {"org.opencontainers.image.ref.name": "shop/api:v1"},
    }
    (folder / "index.json").write_text(json.dumps({"manifests": [index]}))
    return folder


# Finding one


def info(version: object) -> Completed:
    return Completed(status=0, stdout=json.dumps({"version": {"Version": version}}).encode())


def test_podman_is_the_first_choice(tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("podman", "docker", "runc")
    runner = Engines(info=info("4.3.1"))
    engine = find_engine(runner, tmp_path)
    assert (engine.kind, engine.version, str(engine)) == ("podman", "4.3.1", "podman 4.3.1")
    assert engine.storage == tmp_path
    (asked,) = runner.commands
    assert asked.argv == (*engine.command, "info", "--format", "json")
    assert asked.deadline == 60
    root, run_root = engine.command[2], engine.command[4]
    assert (root, len(run_root) < 50) == (str(tmp_path / "overlay"), True)
    assert engine.command == (
        *("podman", "--root", root, "--runroot", run_root, "--storage-driver", "overlay"),
        *("--cgroup-manager", "systemd" if Path("/run/systemd/system").is_dir() else "cgroupfs"),
        *("--runtime", "runc"),
    )


def test_without_runc_podman_chooses_its_runtime(
    tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("podman")
    assert "--runtime" not in find_engine(Engines(info=info("4")), tmp_path).command


def test_the_second_driver_is_the_last_resort(
    tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("podman")
    runner = Engines(**{"--storage-driver_overlay": Completed(status=125), "info": info("4")})
    assert "vfs" in find_engine(runner, tmp_path).command
    assert len(runner.commands) == 2


@pytest.mark.parametrize("answer", [b"{", b"{}", b'{"version": null}', b'{"version": {}}', b"[1]"])
def test_a_podman_that_does_not_tell_its_version_works(
    tmp_path: Path, programs: Callable[..., None], answer: bytes
) -> None:
    programs("podman")
    engine = find_engine(Engines(info=Completed(status=0, stdout=answer)), tmp_path)
    assert str(engine) == "podman of unknown version"


def test_a_docker_daemon_is_the_second_choice(
    tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("docker")
    runner = Engines(version=Completed(status=0, stdout=b"25.0.3\n"))
    assert find_engine(runner, tmp_path) == Engine(
        kind="docker", version="25.0.3", command=("docker",)
    )
    assert runner.lines_run == ["docker version --format {{.Server.Version}}"]


def test_no_engine_says_what_each_answered(tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("podman", "docker")
    runner = Engines(
        podman=Completed(status=125, stderr=b"first\nsecond\nthird\n"),
        docker=Completed(status=1, stderr=b"one\nno daemon\nreally\n"),
    )
    with pytest.raises(EngineError) as caught:
        find_engine(runner, tmp_path)
    assert caught.value.message == "no container engine works here"
    assert caught.value.hint == "install one: apt-get install podman runc"
    assert caught.value.details == (
        "podman (overlay): second",
        "podman (overlay): third",
        "podman (vfs): second",
        "podman (vfs): third",
        "docker: no daemon",
        "docker: really",
    )


def test_without_engines_nothing_is_asked(tmp_path: Path, programs: Callable[..., None]) -> None:
    programs()
    runner = Engines()
    with pytest.raises(EngineError) as caught:
        find_engine(runner, tmp_path)
    assert caught.value.details == ("neither podman nor docker is on PATH",)
    assert runner.commands == []


def test_run_directories_are_short_and_of_one_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    first = module._run_root(tmp_path, "vfs")
    assert first.startswith("/run/nixgen-")
    assert first.endswith("-vfs")
    assert len(first) == len("/run/nixgen-12345678-vfs")
    assert module._run_root(tmp_path / "other", "vfs") != first
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert module._run_root(tmp_path, "vfs") == first.replace("/run/", "/run/user/1000/", 1)


@pytest.mark.parametrize(
    ("files", "processes", "arguments"),
    [
        (1024, 100, ("--ulimit=nofile=1024:1024", "--ulimit=nproc=100:100")),
        (
            resource.RLIM_INFINITY,
            resource.RLIM_INFINITY,
            ("--ulimit=nofile=1048576:1048576", "--ulimit=nproc=32768:32768"),
        ),
        (1 << 30, 1 << 20, ("--ulimit=nofile=1073741824:1073741824", "--ulimit=nproc=32768:32768")),
    ],
)
def test_a_container_s_limits_are_those_that_may_be_set(
    tmp_path: Path,
    programs: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    files: int,
    processes: int,
    arguments: tuple[str, ...],
) -> None:
    programs("podman")
    hard = {resource.RLIMIT_NOFILE: files, resource.RLIMIT_NPROC: processes}
    monkeypatch.setattr(module.resource, "getrlimit", lambda limit: (5, hard[limit]))
    assert find_engine(Engines(info=info("4")), tmp_path).run_arguments == arguments


# Loading an image


def test_an_image_that_the_engine_has_gets_its_name_again(layout: Path) -> None:
    runner = Engines()
    assert load(layout, PODMAN, runner) == "localhost/shop/api:v1"
    assert runner.lines_run == [
        "podman --root x image inspect c0ffee",
        "podman --root x tag c0ffee localhost/shop/api:v1",
    ]


def test_podman_pulls_from_beside_the_layout(layout: Path) -> None:
    runner = Engines(inspect=Completed(status=1))
    assert load(layout, PODMAN, runner) == "localhost/shop/api:v1"
    assert runner.lines_run[1:] == [
        "podman --root x pull --quiet oci:.nixgen:shop/api:v1",
        "podman --root x tag c0ffee localhost/shop/api:v1",
    ]
    assert (runner.commands[1].cwd, runner.commands[1].deadline) == (layout.parent, 600)


def test_docker_is_loaded_with_skopeo(layout: Path) -> None:
    runner = Engines(inspect=Completed(status=1))
    assert load(layout, DOCKER, runner) == "localhost/shop/api:v1"
    assert runner.lines_run[1:] == [
        f"skopeo copy --quiet oci:{layout}:shop/api:v1 docker-daemon:localhost/shop/api:v1"
    ]
    assert runner.commands[1].deadline == 600


def test_docker_without_skopeo(layout: Path) -> None:
    runner = Engines(inspect=Completed(status=1), skopeo=MissingToolError("skopeo"))
    with pytest.raises(EngineError) as caught:
        load(layout, DOCKER, runner)
    assert caught.value.message == "loading an image into docker needs skopeo"
    assert caught.value.hint == "apt-get install skopeo"


def test_docker_reads_no_zstd(layout: Path) -> None:
    manifest = layout / "blobs" / "sha256" / "abc"
    manifest.write_text(manifest.read_text().replace("gzip", "zstd"))
    runner = Engines(inspect=Completed(status=1))
    with pytest.raises(EngineError) as caught:
        load(layout, DOCKER, runner)
    assert caught.value.message == "docker cannot be given layers that zstd compressed"
    assert caught.value.hint == "build the image with gzip layers, or install podman"
    assert load(layout, PODMAN, runner) == "localhost/shop/api:v1"


@pytest.mark.parametrize(
    ("engine", "words", "purpose"),
    [
        (PODMAN, "pull", "load {layout}"),
        (PODMAN, "tag", "tag localhost/shop/api:v1"),
        (DOCKER, "skopeo", "load {layout} into docker"),
    ],
)
def test_a_load_that_fails_is_told_with_the_engine_s_words(
    layout: Path, engine: Engine, words: str, purpose: str
) -> None:
    text = "\n".join(f"line {number}" for number in range(30)).encode()
    runner = Engines(inspect=Completed(status=1), **{words: Completed(status=125, stderr=text)})
    with pytest.raises(EngineError) as caught:
        load(layout, engine, runner)
    assert caught.value.message == (
        f"the container engine could not {purpose.format(layout=layout)} (exit status 125)"
    )
    assert caught.value.hint == (
        "nixgen doctor checks the engine; the last lines it wrote are below"
    )
    assert caught.value.details == tuple(f"line {number}" for number in range(5, 30))


@pytest.mark.parametrize("index", ["{", "{}", '{"manifests": []}', '{"manifests": [{}]}', "[]"])
def test_a_folder_that_is_no_layout(layout: Path, index: str) -> None:
    (layout / "index.json").write_text(index)
    with pytest.raises(EngineError) as caught:
        load(layout, PODMAN, Engines())
    assert caught.value.message.startswith(f"{layout} is not an OCI layout of nixgen: ")
    assert caught.value.hint == "nixgen image build writes one"


# Running a container


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.secrets, "token_hex", lambda count: "0f" * count)


NAME = "nixgen-" + "0f" * 8
CREATE = f"create --pull=never --name={NAME} --label=nixgen.owner=nixgen"


@pytest.mark.usefixtures("named")
def test_a_container_lives_as_long_as_its_block() -> None:
    runner = Engines(create=Completed(status=0, stdout=b"id-1\n"))
    with run("img", DOCKER, runner) as container:
        assert container.id == "id-1"
        assert runner.lines_run == [f"docker {CREATE} --network=host img", f"docker start {NAME}"]
    assert runner.lines_run[2:] == [f"docker stop --time 3 {NAME}", f"docker rm --force {NAME}"]
    assert {command.deadline for command in runner.commands} == {60}


@pytest.mark.usefixtures("named")
def test_ports_variables_and_arguments_in_a_stable_order() -> None:
    runner = Engines()
    engine = Engine(kind="podman", version="4", command=("podman",), run_arguments=("--limit",))
    with run(
        "img", engine, runner, args=("a", "b"), env={"Z": "1", "A": "x y"}, ports={9000: 90, 80: 8}
    ):
        pass
    assert runner.commands[0].argv == (
        *("podman", *CREATE.split()),
        *("--publish", "127.0.0.1:80:8", "--publish", "127.0.0.1:9000:90"),
        *("--limit", "--env", "A=x y", "--env", "Z=1", "img", "a", "b"),
    )


@pytest.mark.usefixtures("named")
def test_a_container_without_ports_has_no_network_of_the_host() -> None:
    runner = Engines()
    with run("img", DOCKER, runner, ports={}):
        pass
    assert runner.lines_run[0] == f"docker {CREATE} img"


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("words", "purpose"), [("create", "create a container of img"), ("start", "start img")]
)
def test_a_container_that_does_not_start_is_removed(words: str, purpose: str) -> None:
    runner = Engines(**{words: Completed(status=125, stderr=b"no\n")})
    with (
        pytest.raises(EngineError) as caught,
        run("img", DOCKER, runner),
    ):
        pytest.fail("it does not run")
    assert caught.value.message == f"the container engine could not {purpose} (exit status 125)"
    assert runner.lines_run[-2:] == [f"docker stop --time 3 {NAME}", f"docker rm --force {NAME}"]


@pytest.mark.usefixtures("named")
def test_a_cleaning_up_that_fails_does_not_hide_the_error() -> None:
    runner = Engines(stop=WorkError("late"), rm=WorkError("late"))
    with pytest.raises(KeyError), run("img", DOCKER, runner):
        raise KeyError
    assert runner.lines_run[-1] == f"docker rm --force {NAME}"


def container(runner: Engines) -> RunningContainer:
    return RunningContainer(engine=DOCKER, id="id-1", runner=runner)


def test_the_log_has_both_streams() -> None:
    runner = Engines(logs=Completed(status=0, stdout=b"out\n", stderr=b"err\xff\n"))
    assert container(runner).logs() == "out\nerr\ufffd\n"
    assert runner.lines_run == ["docker logs id-1"]


def test_the_exit_status_of_a_container() -> None:
    runner = Engines(wait=Completed(status=0, stdout=b"7\n"))
    assert container(runner).wait() == 7
    assert container(runner).wait(2.5) == 7
    assert [command.deadline for command in runner.commands] == [None, 2.5]
    assert runner.lines_run == ["docker wait id-1"] * 2


def test_a_container_that_does_not_end() -> None:
    log = "".join(f"line {number}\n" for number in range(30)).encode()
    runner = Engines(wait=WorkError("late"), logs=Completed(status=0, stdout=log))
    with pytest.raises(EngineError) as caught:
        container(runner).wait(2.5)
    assert caught.value.message == "the container still runs after 2.5 s"
    assert caught.value.hint == "its last lines of output are below"
    assert caught.value.details == tuple(f"line {number}" for number in range(5, 30))


@pytest.mark.parametrize(
    ("answer", "running"),
    [
        (Completed(status=0, stdout=b"true\n"), True),
        (Completed(status=0, stdout=b"false\n"), False),
        (Completed(status=1, stdout=b"true\n"), False),
    ],
)
def test_whether_a_container_runs(answer: Completed, *, running: bool) -> None:
    runner = Engines(inspect=answer)
    assert container(runner).running() is running
    assert runner.lines_run == ["docker inspect --format {{.State.Running}} id-1"]


def test_a_program_beside_the_container_s_own() -> None:
    runner = Engines(exec=Completed(status=3, stdout=b"x"))
    assert container(runner).run("cat", "/x y").status == 3
    assert runner.commands[0].argv == ("docker", "exec", "id-1", "cat", "/x y")


# Removing the storage


def test_docker_s_storage_is_left_alone() -> None:
    runner = Engines()
    remove_storage(DOCKER, runner)
    assert runner.commands == []


def test_podman_s_storage_is_emptied_unmounted_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "storage"
    (storage / "overlay" / "l").mkdir(parents=True)
    roots = [tmp_path / f"run-{driver}" for driver in ("overlay", "vfs")]
    for root in roots:
        root.mkdir()
    monkeypatch.setattr(module, "_run_root", lambda _, driver: str(tmp_path / f"run-{driver}"))
    mounts = (
        f"overlay {storage}/overlay overlay rw 0 0\n"
        f"tmpfs {storage}/overlay/deeper tmpfs rw 0 0\n"
        f"tmpfs {storage}-of-somebody-else tmpfs rw 0 0\n"
        f"tmpfs {roots[1]}/x tmpfs rw 0 0\n"
    )
    real = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda self, *given: mounts if str(self) == "/proc/self/mounts" else real(self, *given),
    )
    runner = Engines()
    engine = Engine(kind="podman", version="4", command=("podman",), storage=storage)
    remove_storage(engine, runner)
    assert runner.lines_run == [
        "podman rm --all --force",
        "podman rmi --all --force",
        f"umount {storage}/overlay/deeper",
        f"umount {storage}/overlay",
        f"umount {roots[1]}/x",
    ]
    assert {command.deadline for command in runner.commands} == {60}
    assert not any(folder.exists() for folder in (storage, *roots))


@pytest.mark.parametrize(
    ("words", "purpose"), [("rm", "remove its containers"), ("rmi", "remove its images")]
)
def test_a_storage_in_use_is_not_removed(tmp_path: Path, words: str, purpose: str) -> None:
    runner = Engines(**{f"{words}_--all": Completed(status=2)})
    engine = Engine(kind="podman", version="4", command=("podman",), storage=tmp_path)
    with pytest.raises(EngineError, match=purpose):
        remove_storage(engine, runner)
    assert tmp_path.exists()
