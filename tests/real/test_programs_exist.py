"""Programs that are started must exist: a build fails for those that do not, and names those that do."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.real

_HEAD = """
from nixgen import (
    CommandCheck, ConfigFile, Image, Machine, NixModule, Package, Project, Service, Test, User, text
)

redis, nodejs = Package("redis", main="redis-server"), Package("nodejs", main="node")
CHECK = CommandCheck([redis / "bin/ping"])
sound = Service("sound", command=[redis.program])
"""


@pytest.fixture(scope="module")
def locked(example):
    """examples/shop with its lock: redis and nodejs are in it."""
    nixgen = example("shop")
    nixgen("generate")
    return nixgen


@pytest.fixture
def project(locked, example):
    """A project of the same packages, from the lines that end its infra.py."""

    def write(*lines):
        nixgen = example("shop", source=locked.folder)
        (nixgen.folder / "infra.py").write_text("\n".join([_HEAD, *lines, ""]))
        return nixgen

    return write


def _build_errors(nixgen):
    """What a failed build says of programs, without the folder of each."""
    stderr = nixgen("build", expect=1).stderr
    return [line.partition("error: ")[2] for line in stderr.splitlines() if "│ error: " in line]


@pytest.mark.parametrize(
    ("service", "place", "program", "near"),
    [
        pytest.param(
            'command=[redis / "bin/redis"]', "ExecStart", "redis", "redis-cli", id="command"
        ),
        pytest.param(
            'command=[text("${r}/bin/redis-servr", r=redis)]',
            "ExecStart",
            "redis-servr",
            "redis-server",
            id="text",
        ),
        pytest.param(
            'command=[redis.program], setup=[[nodejs / "bin/nodee"]]',
            "ExecStartPre",
            "nodee",
            "node",
            id="setup",
        ),
        pytest.param(
            'command=[redis.program, "--loadmodule", redis / "bin/module"]',
            "ExecStart",
            "module",
            "redis-cli",
            id="argument",
        ),
        pytest.param(
            'command=[redis.program], environment={"NODE": nodejs / "bin/nod"}',
            "variable NODE",
            "nod",
            "node",
            id="environment",
        ),
    ],
)
def test_a_service_that_starts_no_program_is_not_built(project, service, place, program, near):
    nixgen = project(
        f'wrong = Service("wrong", {service})',
        'project = Project("p", machines=[Machine("m", services=[sound, wrong])])',
    )
    (error,) = _build_errors(nixgen)
    assert error.startswith(f'machine "m", service wrong, {place}: /nix/store/')
    assert f"/bin/{program} does not exist; the folder has " in error
    assert near in error.partition("the folder has ")[2]


def test_every_missing_program_is_named_at_once(project):
    nixgen = project(
        "services = [",
        '    Service(f"s{number}", command=[redis / f"bin/gone{number}"]) for number in range(3)',
        "]",
        'project = Project("p", machines=[Machine("m", services=services)])',
    )
    assert [error.split(": ")[0] for error in _build_errors(nixgen)] == [
        f'machine "m", service s{number}, ExecStart' for number in range(3)
    ]


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ('Image("i", command=[redis / "bin/redis"])', "entrypoint"),
        ('Image("i", command=["/bin/redis"], packages=[redis])', "entrypoint"),
        (
            'Image("i", service=Service("s", command=[redis.program], health=CHECK))',
            "health check",
        ),
    ],
)
def test_an_image_that_starts_no_program_is_not_built(project, image, place):
    nixgen = project(f'project = Project("p", images=[{image}])')
    (error,) = _build_errors(nixgen)
    assert error.startswith(f'image "i", {place}: /')
    assert "redis-server" in error


def test_the_shell_of_a_user_must_exist(project):
    nixgen = project(
        'project = Project("p", machines=[Machine("m", services=[sound], modules=[NixModule("raw.nix")])])',
    )
    (nixgen.folder / "raw.nix").write_text(
        '{ pkgs, ... }: { users.users.ann = { isNormalUser = true; shell = "${pkgs.redis}/bin/ann"; }; }'
    )
    (error,) = _build_errors(nixgen)
    assert error.startswith('machine "m", user ann, shell: /nix/store/')


def test_the_interpreter_of_a_script_must_exist(project):
    nixgen = project(
        'run = ConfigFile("run.sh", text("#! ${r}/bin/redis-srv -x\\n", r=redis), executable=True)',
        'good = ConfigFile("good.sh", text("#! ${n}/bin/node\\n", n=nodejs), executable=True)',
        'lost = ConfigFile("lost.sh", "#!/usr/bin/nothing\\n", executable=True)',
        's, g, o = Service("s", command=[run]), Service("g", command=[good]), Service("o", command=[lost])',
        'project = Project("p", machines=[Machine("m", services=[s, g])], images=[Image("i", service=o)])',
    )
    machine, image = sorted(_build_errors(nixgen), reverse=True)
    assert machine.startswith('machine "m", service s, ExecStart: /nix/store/')
    assert "run.sh begins with #!/nix/store/" in machine
    assert "redis-srv, which does not exist; the folder has redis-cli, redis-server" in machine
    assert image.startswith('image "i", entrypoint: /nix/store/')
    assert "lost.sh begins with #!/usr/bin/nothing, which does not exist" in image


@pytest.mark.parametrize("package", ['Package("redis", main="redis-shell")', 'Package("tzdata")'])
def test_a_package_that_is_a_shell_has_its_program(project, package):
    nixgen = project(
        "project = Project('p', machines=[Machine('m', services=[sound], "
        f"users=[User('ann', shell={package})])])",
    )
    (error,) = _build_errors(nixgen)
    assert error.startswith('machine "m", user ann, shell: /nix/store/')
    assert "does not exist" in error


def test_programs_of_a_module_are_checked_like_those_of_models(project):
    nixgen = project(
        'project = Project("p", machines=[Machine("m", services=[sound], modules=[NixModule("raw.nix")])])',
    )
    (nixgen.folder / "raw.nix").write_text(
        '{ pkgs, ... }: { systemd.services.raw.serviceConfig.ExecStart = "-${pkgs.redis}/bin/raw"; }'
    )
    (error,) = _build_errors(nixgen)
    assert error.startswith('machine "m", service raw, ExecStart: /nix/store/')


def test_the_script_of_a_test_starts_programs_that_exist(project):
    nixgen = project(
        'service = Service("s", command=[redis.program], health=CHECK)',
        'm = Machine("m", services=[service])',
        'project = Project("p", machines=[m], tests=[Test("t", machines=[m])])',
    )
    (error,) = _build_errors(nixgen)
    assert error.startswith('test "t", script: /nix/store/')


def test_names_that_are_known_only_while_running_are_left_alone(project):
    nixgen = project(
        'late = Service("late", command=[redis.program], environment={',
        '    "PATTERN": text("${r}/bin/redis-*", r=redis),',
        '    "SHELL_VARIABLE": text("${r}/bin/$$NAME", r=redis),',
        '    "FOLDER": text("${r}/bin/sub/x", r=redis),',
        "})",
        'project = Project("p", machines=[Machine("m", services=[late])])',
    )
    nixgen("build")
