/**
  Selects targets of a generated tree by their names.

  # Inputs
  file: the absolute path of the tree's default.nix, as text.
  arguments: the arguments of its function, as JSON. No value of the caller is parsed as Nix. The paths
  in `inputs` are text.

  # Output
  { tree, select }: the result of the function, and a function that returns the derivation of an
  attribute path such as "machines.web".
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
