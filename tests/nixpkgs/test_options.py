"""The list of options of a whole nixpkgs, and whether its real types agree with what their descriptions are taken to mean.

Every option is asked about many values, in one evaluation: that is half a million answers of lib/types.nix.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest

from nixgen.models import Package
from nixgen.options.definitions import definitions
from nixgen.options.fitting import Verdict, answer, answer_at
from nixgen.options.grammar import parse
from nixgen.options.path import is_placeholder, show
from nixgen.options.project import FILE
from nixgen.options.stub import Stub
from nixgen.options.types import Type, Unknown
from nixgen.project.workspace import Workspace
from nixgen.verbs.options import read_tree

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs, pytest.mark.slow]

SETS: list[Any] = [
    {},
    {"a": "b"},
    {"a": 1},
    {"a": None},
    {"a": True},
    {"a": ["x"]},
    {"a": {}},
    {"a": {"b": "c"}},
    {"a": "/x"},
]
LISTS: list[Any] = [[], ["a"], ["/a"], [1], [True], [None], [["a"]], [{}], ["a", 1], [80, 443]]
NUMBERS: list[Any] = [0, 1, -1, 80, 65535, 65536, 2**40, 0.0, 0.5, 1.5, -2.5]
STRINGS: list[Any] = ["", "a", "b c", "/", "/var/lib", "./x", "1", "a:b", "a\nb", "http://x", "é"]
VALUES = [None, True, False, *NUMBERS, *STRINGS, *LISTS, *SETS]

PROBE = """
{ tree, values }:
let
  lib = import (/. + tree + "/lib");
  evaluated = import (/. + tree + "/nixos/lib/eval-config.nix") {
    system = "x86_64-linux";
    modules = [ { _module.check = false; } ];
  };
  samples = builtins.fromJSON values;
  visible = option: !builtins.elem (option.visible or true) [ false "shallow" ];
  walk = options: lib.concatMap (
    option: [ option ] ++ lib.optionals (visible option) (walk (option.type.getSubOptions option.loc))
  ) (lib.filter (option: !builtins.elem "_module" option.loc) (lib.collect lib.isOption options));
  # a check that fails in a way that cannot be caught would end everything: of these, one is known to
  probeable = option: !lib.any (word: lib.hasInfix word option.type.description) [ "convertible" "session" ];
  caught = value: let found = builtins.tryEval value; in found.success && found.value;
  accepts = option: value: caught (option.type.check value);
  merges = option: value: caught (builtins.deepSeq
    (lib.mergeDefinitions option.loc option.type [ { file = "probe"; inherit value; } ]).mergedValue
    true);
  # a path is a module to a submodule, which would be read; and packages are made of what is no package
  shallow = option: lib.any (word: lib.hasInfix word option.type.description)
    [ "submodule" "package" "option" "valuation" "oplevel" "module" "unspecified" "ignored" "anything" ]
    || option.type.name == "uniq" || option.type.name == "unique";
in
map (option: {
  path = option.loc;
  type = option.type.description;
  deep = !shallow option;
  package = caught (option.type.check evaluated.pkgs.hello);
  accepted = map ((if shallow option then accepts else merges) option) samples;
}) (lib.filter probeable (walk evaluated.options))
"""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    folder = tmp_path_factory.mktemp("options")
    (folder / "infra.py").write_text('from nixgen import Project\nproject = Project("p")\n')
    (folder / "flake-inputs.json").write_text('{"schema": "nixgen/inputs/1", "inputs": {}}')
    workspace = Workspace.open(folder)
    tree = Path(os.environ["NIXGEN_NIXPKGS"]).resolve()
    return read_tree(workspace, overrides={"nixpkgs": tree})


def test_the_list(stub: Stub) -> None:
    options = {".".join(path): words for path, words in stub.options()}
    assert len(options) > 9_000
    assert options["services.nginx.enable"] == "boolean"
    assert options["services.nginx.virtualHosts.<name>.root"] == "null or path"
    assert options["networking.hostName"].startswith("string")
    assert "system.nixos.release" in stub.read_only
    assert stub.renamed
    assert "services.beegfs" in stub.removed or len(stub.removed) > 100
    assert any(stub.removed.values()), "why options were removed is known"
    assert stub.provenance.release
    assert len(stub.text()) < 700_000


def test_what_the_real_nixos_takes_is_no_problem(stub: Stub, tmp_path: Path) -> None:
    """test_machines.py evaluates the same project."""
    folder = tmp_path / "features"
    shutil.copytree(Path(__file__).parent / "features", folder)
    (folder / FILE).write_text(stub.text())
    options = Workspace.open(folder).options
    assert len(list(definitions(options.project))) > 4
    assert (options.problems, options.notes) == ((), ())


def test_nearly_every_description_is_understood(stub: Stub, record_property) -> None:
    described = Counter(words for _, words in stub.options())
    unknown = {words: count for words, count in described.items() if _unknown(parse(words))}
    record_property("unknown", sorted(unknown))
    assert sum(unknown.values()) < 0.03 * described.total(), sorted(unknown)
    assert len(unknown) < 0.1 * len(described), sorted(unknown)


def _unknown(wanted: Type) -> bool:
    return any(
        isinstance(alternative, Unknown)
        or any(
            isinstance(part, Type) and _unknown(part)
            for part in attrs.astuple(alternative, recurse=False)
        )
        for alternative in wanted.alternatives
    )


def test_the_real_types_agree(tree, record_property) -> None:
    (tree.folder / "probe.nix").write_text(PROBE)
    done = tree.run(
        "nix-instantiate", "--eval", "--strict", "--json", "probe.nix",
        "--argstr", "tree", os.environ["NIXGEN_NIXPKGS"], "--argstr", "values", json.dumps(VALUES),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    options = json.loads(done.stdout)
    assert len(options) > 9_000
    refused = Counter[str]()
    wrong = []
    for option in options:
        wanted = parse(option["type"])
        if option["package"] and answer(Package("hello"), wanted).verdict is Verdict.DIFFERS:
            wrong.append((".".join(option["path"]), option["type"], "a package"))
        for value, accepted in zip(VALUES, option["accepted"], strict=True):
            found = answer(value, wanted)
            refused[f"{found.verdict.name.lower()}, {'accepted' if accepted else 'refused'}"] += 1
            # a check of the type alone does not look into what has parts
            whole = option["deep"] or any(misfit.at == () for misfit in found.misfits)
            if accepted and found.verdict is Verdict.DIFFERS and whole:
                wrong.append((".".join(option["path"]), option["type"], value))
    record_property("answers", dict(refused))
    assert wrong == [], "NixOS takes what was called wrong"
    # and what fits, NixOS takes, but for types that check more than they say
    taken, surprising = refused["fits, accepted"], refused["fits, refused"]
    assert surprising < 0.005 * taken
    assert refused["differs, refused"] > 0.5 * refused.total()


GIVEN = """
{ tree }:
let
  lib = import (/. + tree + "/lib");
  evaluated = import (/. + tree + "/nixos/lib/eval-config.nix") {
    system = "x86_64-linux";
    modules = [ {
      _module.check = false;
      # the file of this set is so large that small copies of nixpkgs lack it
      nixpkgs.overlays = [ (_: _: { haskellPackages = throw "left out"; }) ];
    } ];
  };
  visible = option: !builtins.elem (option.visible or true) [ false "shallow" ];
  walk = options: lib.concatMap (
    option: [ option ] ++ lib.optionals (visible option) (walk (option.type.getSubOptions option.loc))
  ) (lib.filter (option: !builtins.elem "_module" option.loc) (lib.collect lib.isOption options));
  data = value:
    if builtins.isAttrs value then
      if value ? _type || lib.isDerivation value then throw "no data" else lib.mapAttrs (_: data) value
    else if builtins.isList value then map data value
    else if builtins.isFunction value || builtins.isPath value || builtins.isFloat value then throw "no data"
    else if builtins.isString value && builtins.hasContext value then throw "no data"
    else value;
  # examples are prose, and some defaults are only there to fail when nothing else is given
  given = option: name:
    let
      found = builtins.tryEval (let value = data option.${name}; in builtins.deepSeq value value);
      right = builtins.tryEval (option.type.check option.${name});
      coerced = lib.hasInfix "convertible" option.type.description;
    in
    lib.optional (option ? ${name} && !coerced && found.success && right.success && right.value) {
      path = option.loc;
      inherit (found) value;
    };
in
lib.concatMap (option: given option "default" ++ given option "example") (walk evaluated.options)
"""


def test_defaults_and_examples_are_right(stub: Stub, tree) -> None:
    """The way down through submodules, too: what NixOS itself gives its options is nothing that it would refuse."""
    (tree.folder / "given.nix").write_text(GIVEN)
    done = tree.run(
        "nix-instantiate", "--eval", "--strict", "--json", "given.nix",
        "--argstr", "tree", os.environ["NIXGEN_NIXPKGS"],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    given = json.loads(done.stdout)
    assert len(given) > 5_000
    wrong = []
    for each in given:
        path = show(tuple(each["path"]))
        if path in stub.read_only | stub.removed.keys():
            continue
        found = answer_at(_placed(each["path"], each["value"]), stub.root)
        # the check of a type does not look into what has parts, as examples know
        if any(len(misfit.at) <= len(each["path"]) for misfit in found.misfits):
            wrong.append((path, each["value"]))
    assert wrong == []


def _placed(path: list[str], value: Any) -> Any:
    for part in reversed(path):
        value = [value] if part == "*" else {"some" if is_placeholder(part) else part: value}
    return value
