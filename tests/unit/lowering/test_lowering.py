"""Models as expressions: command lines for systemd, names of variables, derived test scripts."""

from __future__ import annotations

import ast
import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from systemd_reader import split

from nixgen import syntax as nix
from nixgen.gitignore import IgnoreTable, parse
from nixgen.lowering import implied_packages, lower, target_origins
from nixgen.lowering.disk import _boot
from nixgen.lowering.scope import Scope
from nixgen.lowering.unitfile import command_line, environment_value
from nixgen.models import (
    Boot,
    CommandCheck,
    ConfigFile,
    Environment,
    HttpCheck,
    Image,
    Machine,
    NixModule,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    TcpCheck,
    Test,
    Text,
    User,
    require_valid,
)

SAFE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(SAFE, min_size=1, max_size=5))
def test_systemd_splits_a_command_line_into_its_words(words: list[str]) -> None:
    line = command_line(Scope(), ["/bin/x", *words])
    assert isinstance(line, nix.Str)
    assert split(line.value) == ["/bin/x", *words]


@given(st.lists(st.lists(SAFE, max_size=3), min_size=1, max_size=3))
def test_words_with_references_stay_one_word(literals: list[list[str]]) -> None:
    package = Package("p")
    words = [Text(parts=(package, *parts)) for parts in literals]
    line = command_line(Scope(), words)
    assert isinstance(line, nix.Interpolation)
    shown = "".join(part if isinstance(part, str) else "/nix/store/p" for part in line.parts)
    assert split(shown) == ["/nix/store/p" + "".join(parts) for parts in literals]


@given(SAFE)
def test_percent_signs_of_environment_values_are_doubled(value: str) -> None:
    lowered = environment_value(Scope(), value)
    assert isinstance(lowered, nix.Str)
    assert lowered.value.replace("%%", "") == value.replace("%", "")


@pytest.mark.parametrize(
    ("names", "bound"),
    [
        (["nginx.conf", "nginx-conf"], ["nginxConf", "nginxConf2"]),
        (["let", "with"], ["fileLet", "fileWith"]),
        (["pkgs", "lib"], ["pkgs2", "lib2"]),
        (["9lives", "---"], ["file9lives", "file"]),
        (["Upper.Case.TXT"], ["upperCaseTXT"]),
    ],
)
def test_variables_of_files_have_readable_and_different_names(
    names: list[str], bound: list[str]
) -> None:
    scope = Scope()
    found = [scope.reference(ConfigFile(name, "")) for name in names]
    assert [item.name for item in found if isinstance(item, nix.Var)] == bound


def test_one_object_is_bound_once() -> None:
    scope, file = Scope(), ConfigFile("a", "")
    assert scope.reference(file) is scope.reference(file)


def printed(project: Project, path: str) -> str:
    return nix.print_file(lower(require_valid(project))[path].make()).text


def test_units_are_ordered_only_after_services_of_their_machine() -> None:
    db = Service("db", command=["/bin/db"])
    near = Service("near", command=["/bin/near"], depends_on=[db])
    far = Service("far", command=["/bin/far"], depends_on=[db])
    project = Project(
        "p", machines=[Machine("one", services=[db, near]), Machine("two", services=[far])]
    )
    assert '"db.service"' in printed(project, "machines/one.nix")
    assert "db.service" not in printed(project, "machines/two.nix")


def test_the_firewall_opens_public_ports_only() -> None:
    service = Service(
        "s", command=["/bin/s"], ports=[Port(80), Port(81, public=False), Port(53, protocol="udp")]
    )
    module = printed(Project("p", machines=[Machine("m", services=[service])]), "machines/m.nix")
    assert "allowedTCPPorts = [ 80 ]" in module
    assert "allowedUDPPorts = [ 53 ]" in module


def _derived_script(machine: Machine) -> str:
    """The script of a test of one machine, with /s for store paths."""
    module = lower(
        require_valid(Project("p", machines=[machine], tests=[Test("t", machines=[machine])]))
    )["tests/t.nix"].make()
    body = module.body.expr  # type: ignore[attr-defined]
    script = dict(body.bindings.pairs)["testScript"]
    return (
        script.value
        if isinstance(script, nix.Str)
        else "".join(p if isinstance(p, str) else "/s" for p in script.parts)
    )


@given(st.lists(SAFE, min_size=1, max_size=4), SAFE)
def test_derived_scripts_are_python(words: list[str], contains: str) -> None:
    port = Port(80)
    asked = Service(
        "asked", command=["/bin/s"], ports=[port], health=HttpCheck("/x?y='z'", contains=contains)
    )
    run = Service("run", command=["/bin/s"], health=CommandCheck(["/bin/check", *words]))
    open_ = Service("open", command=["/bin/s"], ports=[Port(81)], health=TcpCheck())
    machine = Machine("m-1", services=[asked, run, open_])
    source = _derived_script(machine)
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    commands = [
        c.args[0].value
        for c in calls
        if isinstance(c.func, ast.Attribute) and c.func.attr == "wait_until_succeeds"
    ]
    assert ["/bin/check", *words] in [shlex.split(command) for command in commands]


class _Machine:
    """A machine of the test driver whose web server answers one body."""

    def __init__(self, body: str) -> None:
        self.body = body
        self.commands: list[str] = []

    def wait_for_unit(self, unit: str) -> None: ...

    def wait_for_open_port(self, port: int) -> None: ...

    def succeed(self, command: str) -> str:
        self.commands.append(command)
        return self.body

    wait_until_succeeds = succeed


@pytest.mark.parametrize("wanted", ["up\n", "\n", 'it\'s "up"', "a\nb", "\\n ${x} ''"])
def test_a_health_check_fails_unless_the_answer_contains_the_text(wanted: str) -> None:
    check = HttpCheck("/[1-3]{a,b}/../c", contains=wanted)
    service = Service("s", command=["/bin/s"], ports=[Port(80)], health=check)
    machine = Machine("web", services=[service])
    script = _derived_script(machine)

    def run(body: str) -> list[str]:
        web = _Machine(body)
        exec(script, {"web": web, "start_all": int, "subtest": contextlib.nullcontext})
        return web.commands

    commands = [shlex.split(command) for command in run(f"<{wanted}>")]
    assert all("http://localhost:80/[1-3]{a,b}/../c" in words for words in commands)
    assert all({"--globoff", "--path-as-is"} <= set(words) for words in commands)
    with pytest.raises(AssertionError, match="answers without"):
        run(wanted[1:])


def test_only_derived_tests_need_curl() -> None:
    service = Service("web", command=["/bin/web"], ports=[Port(80)], health=HttpCheck("/"))
    machine = Machine("m", services=[service])
    assert [package.name for package in implied_packages([Test("t", machines=[machine])])] == [
        "curl"
    ]
    assert implied_packages([Test("t", machines=[machine], script="pass")]) == ()


def test_a_derived_test_without_an_http_check_implies_no_package() -> None:
    service = Service("api", command=["/bin/api"], ports=[Port(80)], health=TcpCheck())
    machine = Machine("web", services=[service])
    assert implied_packages([Test("t", machines=[machine])]) == ()


def test_images_have_a_user_and_exposed_ports() -> None:
    own = Service(
        "own",
        command=["/bin/s"],
        user=User("me", uid=7, gid=8),
        ports=[Port(5, protocol="udp")],
        environment={"A": "%"},
    )
    nobody = Service("nobody", command=["/bin/s"])
    project = Project("p", images=[Image("own", service=own), Image("nobody", service=nobody)])
    first, second = printed(project, "images/own.nix"), printed(project, "images/nobody.nix")
    assert 'User = "7:8"' in first
    assert '"5/udp" = { };' in first
    assert '"A=%"' in first  # no systemd reads it, so nothing is doubled
    assert 'User = "65534:65534"' in second


def test_environments_change_only_machines_that_declare_the_variable() -> None:
    loud = Service("loud", command=["/bin/s"], environment={"LEVEL": "1", "OTHER": "x"})
    quiet = Service("quiet", command=["/bin/s"])
    project = Project(
        "p",
        machines=[Machine("a", services=[loud]), Machine("b", services=[quiet])],
        environments=[Environment("prod", variables={"LEVEL": "2"})],
    )
    overlay = printed(project, "environments/prod/a.nix")
    assert 'systemd.services.loud.environment.LEVEL = lib.mkForce "2"' in overlay
    assert "OTHER" not in overlay
    assert "environments/prod/b.nix" not in lower(project)


def test_rules_of_gitignore_files_are_written_once() -> None:
    shared = tuple(parse(b"*.log\n!keep.log\n/build/\n"))
    table = IgnoreTable(
        rules={".": {"": shared, "web/css": tuple(parse(b"/a b.css"))}},
        places={"api": (".", "api"), "web": (".", "web")},
    )
    service = Service(
        "s",
        command=["/bin/s", Source("api"), Source("web/"), Source("raw", gitignore=False)],
        environment={"ONE": Source("other.txt")},
    )
    project = Project("p", machines=[Machine("m", services=[service])])
    files = lower(project, table)
    assert nix.print_expr(files["ignored.nix"].make()) == IGNORED
    module = printed(project, "machines/m.nix")
    assert module.count("ignored = (import ../ignored.nix)") == 3
    assert 'ignored = (import ../ignored.nix)."other.txt";' in module
    assert "raw" not in IGNORED
    without = Project("p", machines=[Machine("m", services=[Service("s", command=["/bin/s"])])])
    assert "ignored.nix" not in lower(without)


IGNORED = """\
let
  rules = {
    "." = {
      "" = [
        { name = "[^/]*[.]log"; }
        {
          name = "keep[.]log";
          negated = true;
        }
        { path = "build/"; }
      ];
      "web/css" = [ { path = "a b[.]css"; } ];
    };
  };
in
{
  "other.txt" = { };
  api = {
    place = "api";
    rules = rules.".";
  };
  web = {
    place = "web";
    rules = rules.".";
  };
}"""


def test_targets_have_their_origin() -> None:
    machine = Machine("m")
    origins = target_origins(Project("p", machines=[machine], packages=[Package("x")]))
    assert list(origins) == ["machines.m", "packages.x"]
    assert origins["machines.m"] is machine.origin


def test_the_path_of_a_secret_keeps_its_percent_signs() -> None:
    secret = Secret("token", file="/run/keys/%n/50%")
    service = Service("api", command=["/bin/api"], secrets=[secret])
    files = lower(Project("p", machines=[Machine("web", services=[service])]))
    text = nix.print_expr(files["machines/web.nix"].make())
    assert 'LoadCredential = [ "token:/run/keys/%%n/50%%" ];' in text


def test_an_environment_with_modules_alone_changes_every_machine() -> None:
    environment = Environment("prod", modules=[NixModule("hosts/prod.nix")])
    files = lower(Project("p", machines=[Machine("web")], environments=[environment]))
    text = nix.print_expr(files["environments/prod/web.nix"].make())
    assert "imports = [ ../../../hosts/prod.nix ];" in text


@pytest.mark.parametrize(
    ("boot", "bindings"),
    [
        (
            Boot(loader="systemd-boot"),
            {
                "loader.systemd-boot.enable": nix.Bool(True),
                "loader.efi.canTouchEfiVariables": nix.Bool(True),
            },
        ),
        (
            Boot(loader="grub", device="/dev/vda"),
            {"loader.grub.enable": nix.Bool(True), "loader.grub.device": nix.Str("/dev/vda")},
        ),
        (Boot(), {"loader.grub.enable": nix.Bool(False)}),
    ],
)
def test_the_loader_of_a_machine(boot, bindings):
    """NixOS turns grub on by itself, so a machine without a loader turns it off."""
    found = {".".join(path): value for path, value in _boot(boot).items()}
    assert {name: found[name] for name in bindings} == bindings
    assert {name for name in found if name.startswith("loader.")} == bindings.keys()
