/**
  vm.json (docs/contracts.md §5, schema nixgen/vm/1): what the VM runner boots.

  # Inputs
  system: of the machines.
  name, testScript: of the test; an empty script for a single machine.
  nodes: the document's `nodes`, already in order.

  # Output
  A derivation whose $out is the file. The closure, with hashes and sizes, comes from Nix itself: with structured
  attributes, `exportReferencesGraph` is a list of objects in the build's .attrs.json.
*/
{ busybox, writeText }:
{
  system,
  name,
  testScript,
  nodes,
}:
let
  head = writeText "vm-head.json" (
    builtins.toJSON {
      schema = "nixgen/vm/1";
      inherit
        system
        name
        testScript
        nodes
        ;
    }
  );
in
derivation {
  name = "vm.json";
  inherit system;
  builder = "${busybox}/bin/busybox";
  __structuredAttrs = true;
  exportReferencesGraph.closure = [ head ];
  args = [
    "sh"
    "-c"
    ''
      set -eu
      PATH=${busybox}/bin
      # Nix 2.8 names the file by its path outside of the sandbox.
      attributes=.attrs.json
      [ -e "$attributes" ] || attributes=$NIX_ATTRS_JSON_FILE
      # Versions of Nix differ in the other keys of a path; these four are neighbours in all of them.
      closure=$(grep -oE '"narHash":"[^"]*","narSize":[0-9]+,"path":"[^"]*","references":\[[^]]*\]' "$attributes" |
        grep -vF '"path":"${head}"' | sed 's/.*/{&}/' | paste -s -d , -)
      [ -n "$closure" ] || { echo "this version of Nix describes closures in another way" >&2; exit 1; }
      { sed 's/}$/,"closure":/' ${head}; printf '[%s]}\n' "$closure"; } > ${placeholder "out"}
    ''
  ];
}
