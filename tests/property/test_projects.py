"""Random sound projects with hostile text in every free field: real Nix reads the text of the models
in the generated files.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
import rfc166
from hypothesis import given, settings
from hypothesis import strategies as st

from nixgen.lowering import lower
from nixgen.models import (
    ConfigFile,
    Generated,
    Image,
    Machine,
    Package,
    Project,
    Secret,
    Service,
    Test,
    User,
    check,
)
from nixgen.render import render

HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.lists(
        st.sampled_from(
            ["${", "}", "''", "'", '"', "\\", "$", "%", "\n", "\r", " ", "#", "*/", "x"]
        ),
        max_size=12,
    ).map("".join),
)
# the same without what ends a line, continues it, is lost at its ends, or ends a field of /etc/passwd: that is refused
HOSTILE_FIELD = HOSTILE.map(
    lambda text: "".join(each for each in text if each.isprintable() and each != ":").strip(" \\")
)
NAME = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
VARIABLE = st.from_regex(r"[A-Z][A-Z0-9_]{0,6}", fullmatch=True)

TOKEN = Secret("token", file="/run/100% of ${x}/''token")
ALPHABET = st.lists(st.characters(categories=["L", "N", "P", "S"]), min_size=2, unique=True)
VALUES = st.one_of(
    HOSTILE.map("never in the tree {}".format),
    st.builds(Generated, length=st.integers(8, 99), alphabet=ALPHABET.map("".join)),
)

SERVICES = st.builds(
    lambda name, words, environment, description, user, secret: Service(
        name,
        command=[Package("bash") / "bin/bash", *words],
        environment=environment,
        description=description,
        user=User(name, description=description) if user else None,
        secrets=[TOKEN] if secret else [],
    ),
    NAME,
    st.lists(HOSTILE, max_size=3),
    st.dictionaries(VARIABLE, HOSTILE, max_size=3),
    HOSTILE_FIELD,
    st.booleans(),
    st.booleans(),
)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    services = draw(
        st.lists(SERVICES, min_size=1, max_size=4, unique_by=lambda service: service.name)
    )
    files = draw(st.dictionaries(NAME, HOSTILE, max_size=2))
    machine = Machine(
        "web",
        services=services,
        files={name: ConfigFile(f"{name}.conf", content) for name, content in files.items()},
    )
    labels = draw(st.dictionaries(HOSTILE, HOSTILE, max_size=2))
    image = Image("img", service=services[0], labels=labels)
    script = draw(st.one_of(st.none(), HOSTILE))
    used = any(service.secrets for service in services)
    values = draw(st.dictionaries(st.just(TOKEN), VALUES, max_size=1)) if used else {}
    if script is not None and any(
        value in script for value in values.values() if value.__class__ is str
    ):
        values = {}  # which is refused: the script is in the store
    test = Test("t", machines=[machine], script=script, secrets=values)
    return Project("p", machines=[machine], images=[image], tests=[test])


_PROBE = """
{ tree }:
let
  pkgs = {
    bash = "/bash";
    curl = "/curl";
    writeText = name: text: { inherit name text; };
  };
  machine = import (tree + "/machines/web.nix") { inherit pkgs; };
  image = import (tree + "/images/img.nix") { inherit pkgs; nixgen.image = x: x; };
  test = import (tree + "/tests/t.nix") { inherit pkgs; config.nixgen.prelude = ""; };
in
{
  services = builtins.mapAttrs (_: s: { inherit (s) description; environment = s.environment or { }; }) machine.systemd.services;
  files = builtins.mapAttrs (_: f: f.source.text) (machine.environment.etc or { });
  inherit (image.config) Labels Env Entrypoint;
  inherit (test) testScript;
  secrets = (test.nixgen or { secrets = { }; }).secrets;
}
"""


def evaluated(tree: dict[str, bytes]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        for path, data in tree.items():
            if not path.startswith("lib/"):
                (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / path).write_bytes(data)
        done = subprocess.run(
            [
                "nix-instantiate",
                "--eval",
                "--strict",
                "--json",
                "--arg",
                "tree",
                folder,
                "--expr",
                _PROBE,
            ],
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))


@pytest.mark.real
@settings(max_examples=40, deadline=None)
@given(projects())
def test_text_of_models_stays_text(project: Project) -> None:
    assert check(project) == ()
    tree, _ = render(lower(project))
    found = evaluated(dict(tree))
    (machine,), (image,), (test,) = project.machines, project.images, project.tests
    assert found["services"] == {
        service.name: {
            "description": (service.description or service.name).replace("%", "%%"),
            "environment": {
                name: value.replace("%", "%%") for name, value in service.environment.items()
            },  # type: ignore[union-attr]
        }
        for service in machine.services
    }
    assert found["files"] == {name: file.content for name, file in machine.files.items()}
    assert found["Labels"] == image.labels
    assert found["Entrypoint"] == ["/bash/bin/bash", *machine.services[0].command[1:]]
    if test.script is not None:
        assert found["testScript"] == test.script
    assert found["secrets"] == _described(test)
    assert not any(b"never in the tree" in data for data in tree.values())


def _described(test: Test) -> dict[str, object]:
    """The secrets of a test as its generated file has them."""
    (machine,) = test.machines
    if not any(service.secrets for service in machine.services):
        return {}
    described: dict[str, object] = {"name": TOKEN.name, "file": TOKEN.path}
    value = test.secrets.get(TOKEN)
    if isinstance(value, Generated):
        default = Generated()
        described |= {} if value.length == default.length else {"length": value.length}
        described["alphabet"] = value.alphabet
    elif value is not None:
        described["given"] = True
    return {machine.name: [described]}


@settings(max_examples=40, deadline=None)
@given(projects())
def test_generation_depends_on_the_models_alone(project: Project) -> None:
    first, _ = render(lower(project))
    second, _ = render(lower(project))
    assert first == second
    assert not any(str(Path.cwd()).encode() in data for data in first.values())


@rfc166.WANTED
def test_generated_files_have_the_form_of_rfc_166(holds, tmp_path: Path) -> None:
    def law(found: list[Project]) -> list[bool]:
        trees = [
            [
                data.decode()
                for path, data in render(lower(project))[0].items()
                if path.endswith(".nix") and not path.startswith("lib/")
            ]
            for project in found
        ]
        formed = iter(
            rfc166.formatted([text for tree in trees for text in tree], tmp_path / "formed")
        )
        return [[next(formed) for _ in tree] == tree for tree in trees]

    holds(projects(), law)
