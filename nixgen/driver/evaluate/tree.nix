/**
  Targets of a generated tree by their names.

  # Inputs
  file: the tree's default.nix, an absolute path as text.
  arguments: what that function is given, as JSON, so that nothing of the caller's is ever parsed as Nix; in `inputs`, paths as text.

  # Output
  { tree, select }: what the function returns, and the derivation of an attribute path such as "machines.web".
*/
{ file, arguments }:
let
  given = builtins.fromJSON arguments;
  inputs = builtins.mapAttrs (_: path: /. + path) given.inputs;
  tree = import (/. + file) (given // (if given ? inputs then { inherit inputs; } else { }));
in
{
  inherit tree;
  select =
    attr:
    builtins.foldl' (
      set: name: set.${name} or (throw "the generated tree has no target ${attr}")
    ) tree (builtins.filter builtins.isString (builtins.split "\\." attr));
}
