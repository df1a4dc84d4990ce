"""The builder of image.json, with a store of its own and this system's bash and jq in place of nixpkgs'."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

IMAGE = Path(__file__).parents[2] / "nix/bases/nixpkgs/image.nix"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed"),
]

# Just enough of nixpkgs for image.nix.
PACKAGES = """
  let
    runCommand = name: variables: script: derivation (variables // {
      inherit name; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-ec" "PATH=/bin:/usr/bin; ${script}" ];
    });
    build = name: runCommand name { };
  in
  {
    bash = "";
    buildEnv = { name, paths, postBuild, ... }: build name "mkdir $out; echo ${toString paths} > $out/contents; ${postBuild}";
    inherit runCommand;
    jq = "/usr";
    lib = {
      concatStrings = builtins.concatStringsSep "";
      mapAttrsToList = f: set: builtins.attrValues (builtins.mapAttrs f set);
    };
    stdenv.hostPlatform = { system = builtins.currentSystem; parsed.cpu.name = "x86_64"; };
    writeText = name: text: build name "cat > $out <<'END'\\n${text}\\nEND\\n";
    program = build "program" "echo > $out";
    data = build "data" "mkdir -p $out/bin; cp /bin/sh $out/bin/run";
    beside = build "beside" "echo > $out";
  }
"""


def test_image_json(tree):
    (tree.folder / "image.nix").write_text(f"""
        let pkgs = {PACKAGES};
        in import {IMAGE} {{ inherit pkgs; }} {{
          name = "api";
          tag = "1";
          config = {{ Entrypoint = [ "${{pkgs.data}}/bin/run" "a \\"b\\"" ]; User = "1500:1500"; }};
          contents = [ pkgs.program ];
          extra = [ pkgs.beside ];
          users.api = {{ uid = 1500; gid = 1501; home = "/srv"; }};
        }}
    """)
    done = tree.run("nix-build", "--no-out-link", "--option", "sandbox", "false", "image.nix")
    assert done.returncode == 0, done.stderr[-3000:]
    image = json.loads(Path(done.stdout.strip()).read_text())

    closure = {Path(entry["path"]).name.partition("-")[2]: entry for entry in image.pop("closure")}
    root = image.pop("root")
    assert set(closure) == {"api-root", "beside", "data", "program"}
    assert closure["api-root"]["path"] == root
    assert closure["api-root"]["references"] == [closure["program"]["path"]]
    assert closure["data"]["references"] == []
    for entry in closure.values():
        assert entry["narHash"].startswith("sha256:")
        assert entry["narSize"] > 100
    assert image == {
        "schema": "nixgen/image/1",
        "name": "api",
        "tag": "1",
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": [closure["data"]["path"] + "/bin/run", 'a "b"'],
            "User": "1500:1500",
        },
    }
    assert "api:x:1500:1501::/srv:/bin/sh\n" in (Path(root) / "etc/passwd").read_text()


def test_an_image_whose_program_does_not_exist_is_not_built(tree):
    (tree.folder / "image.nix").write_text(f"""
        let pkgs = {PACKAGES};
        in import {IMAGE} {{ inherit pkgs; }} {{
          name = "api";
          tag = "1";
          config.Entrypoint = [ "${{pkgs.data}}/bin/runs" ];
        }}
    """)
    done = tree.run("nix-build", "--no-out-link", "--option", "sandbox", "false", "image.nix")
    assert done.returncode != 0
    assert 'error: image "api", entrypoint: ' in done.stderr
    assert "/bin/runs does not exist; the folder has run\n" in done.stderr
