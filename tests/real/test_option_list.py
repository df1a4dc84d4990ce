"""Listing the options of a tree with the real Nix. The tree is a small one that has what nixpkgs has of each kind.

Whether a whole nixpkgs can be listed is asked in tests/nixpkgs/test_options.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nixgen.errors import EvaluationError
from nixgen.options.stub import Stub
from nixgen.project.workspace import Workspace
from nixgen.verbs.options import read_tree

pytestmark = pytest.mark.real

LIB = """
  rec {
    trivial.release = "99.05";
    concatLists = builtins.concatLists;
    concatMap = builtins.concatMap;
    filter = builtins.filter;
    init = list: builtins.genList (builtins.elemAt list) (builtins.length list - 1);
    isOption = value: value._type or "" == "option";
    collect = want: value:
      if want value then [ value ]
      else if builtins.isAttrs value then concatMap (collect want) (builtins.attrValues value)
      else [ ];
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: value: if condition then value else [ ];
    optionalAttrs = condition: value: if condition then value else { };
    hasSuffix = suffix: text: builtins.match ".*${suffix}" text != null;
    showOption = builtins.concatStringsSep ".";
    mkDefault = value: value;
  }
"""
#: the file that removals are written in, for the places of their messages
MODULES = """
  { removal = name: { assertion = true; message = "The option definition `${name}' in  no longer has any effect; please remove it.\\nUse another.\\n"; }; }
"""
EVAL_CONFIG = """
  { system, modules }:
  let
    inherit (import ../../lib/modules.nix) removal;
    name = "name";
    unspecified = { name = "unspecified"; description = "unspecified value"; getSubOptions = _: { }; };
    plain = description: { name = "plain"; inherit description; getSubOptions = _: { }; };
    submodule = options: {
      name = "submodule";
      description = "submodule";
      getSubOptions = prefix: options prefix // {
        _module = (options prefix)._module or { } // {
          args = option (prefix ++ [ "_module" "args" ]) (plain "lazy attribute set of raw value") { };
        };
      };
    };
    attrsOf = type: type // {
      description = "attribute set of (${type.description})";
      getSubOptions = prefix: type.getSubOptions (prefix ++ [ "<name>" ]);
    };
    option = loc: type: more: { _type = "option"; inherit loc type; } // more;
    sites = attrsOf (submodule (prefix: {
      root = option (prefix ++ [ "root" ]) (plain "path") { };
      _freeformOptions = { };
      _module.freeformType.value.description = "attribute set of string";
    }));
    endless = submodule (prefix: { inner = option (prefix ++ [ "inner" ]) endless { }; });
    declared = module: if builtins.isPath module && builtins.isAttrs (import module) then (import module).options else { };
    extra = builtins.foldl' (all: module: all // declared module) { } modules;
  in
  {
    options = {
      assertions.definitions = [
        [ (removal "services.gone") ]
        [ { assertion = true; message = throw "needs a whole machine"; } ]
      ];
      services.web.enable = option [ "services" "web" "enable" ] (plain "boolean") { };
      services.web.sites = option [ "services" "web" "sites" ] sites { };
      services.old = option [ "services" "old" ] (plain "boolean") {
        visible = false;
        description = "Alias of <option>services.web.enable</option>.";
      };
      services.gone = option [ "services" "gone" ] unspecified { visible = false; apply = throw "gone"; };
      services.endless = option [ "services" "endless" ] endless { visible = "shallow"; };
      services.hidden = option [ "services" "hidden" ] endless { visible = false; description = "a \\" b"; };
      system.release = option [ "system" "release" ] (plain "string") { readOnly = true; default = throw "unused"; };
    } // extra;
  }
"""
INFRA = """\
from nixgen import Machine, NixModule, Project
project = Project("p", machines=[Machine("m", modules=[NixModule("mine.nix")])])
"""
MINE = """\
{
  options.mine.enable = {
    _type = "option";
    loc = [ "mine" "enable" ];
    type = { name = "bool"; description = "boolean"; getSubOptions = _: { }; };
  };
}
"""


def files(folder: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    files(
        tmp_path,
        {
            "infra.py": INFRA,
            "mine.nix": MINE,
            "tree/lib/default.nix": LIB,
            "tree/lib/modules.nix": MODULES,
            "tree/nixos/lib/eval-config.nix": EVAL_CONFIG,
            "tree/default.nix": "",
            "flake-inputs.json": json.dumps(
                {
                    "schema": "nixgen/inputs/1",
                    "inputs": {"nixpkgs": {"type": "path", "path": "tree"}},
                }
            ),
        },
    )
    return Workspace.open(tmp_path)


def options(stub: Stub) -> dict[str, str]:
    return {".".join(path): words for path, words in stub.options()}


def test_everything_there_is_to_know_of_options(project: Workspace) -> None:
    stub = read_tree(project)
    # only the messages of removals are read: the other one would have failed
    assert stub.removed == {"services.gone": "Use another."}
    assert stub.renamed == {"services.old": "services.web.enable"}
    assert stub.read_only == ("system.release",)
    assert stub.provenance.release == "99.05"
    assert stub.provenance.pin == "tree"
    assert set(stub.provenance.modules) == {"mine.nix"}
    assert options(stub) == {
        "mine.enable": "boolean",
        "services.endless": "submodule",
        "services.hidden": "submodule",
        "services.old": "boolean",
        "services.web.enable": "boolean",
        "services.web.sites": "attribute set of (submodule)",
        "services.web.sites.<name>.root": "path",
        "system.release": "string",
    }
    web = stub.root.child("services").child("web")  # type: ignore[union-attr]
    member = web.child("sites").member()  # type: ignore[union-attr]
    assert member is not None
    assert member.freeform is not None
    assert member.freeform.words == "attribute set of string"


def test_a_tree_in_place_of_the_pin(project: Workspace, tmp_path: Path) -> None:
    other = files(
        tmp_path / "other",
        {
            "lib/default.nix": LIB.replace("99.05", "99.11"),
            "lib/modules.nix": MODULES,
            "nixos/lib/eval-config.nix": EVAL_CONFIG,
        },
    )
    stub = read_tree(project, overrides={"nixpkgs": other})
    assert stub.provenance.release == "99.11"
    assert stub.provenance.pin is None


def test_a_module_that_cannot_be_read_is_named(project: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine.nix").write_text(MINE.replace('"boolean"', "(1 + true)"))
    with pytest.raises(EvaluationError) as caught:
        read_tree(Workspace.open(tmp_path))
    assert "while reading the option mine.enable" in "\n".join(caught.value.details)
    assert caught.value.where == "mine.nix:5"
    (tmp_path / "mine.nix").write_text("{ options.mine = ")
    with pytest.raises(EvaluationError, match="syntax error") as caught:
        read_tree(Workspace.open(tmp_path))
