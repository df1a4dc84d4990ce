/**
  The values of some targets, instead of the targets.

  # Inputs
  file: generated/default.nix.
  arguments: JSON: what its function is given; `inputs` are paths.
  attrs: JSON: attribute paths such as "kubernetes.shop", of things that have a `document`.

  # Output
  The documents in that order. Each is evaluated to its end within the context that names its target, so that a trace does, too.
*/
{
  file,
  arguments,
  attrs,
}:
let
  given = builtins.fromJSON arguments;
  inputs = builtins.mapAttrs (_: path: /. + path) (given.inputs or { });
  tree = import (/. + file) (given // { inherit inputs; });

  documentOf =
    attr:
    let
      names = builtins.filter builtins.isString (builtins.split "\\." attr);
      target = builtins.foldl' (
        set: name: set.${name} or (throw "the generated tree has no target ${attr}")
      ) tree names;
    in
    builtins.addErrorContext "while evaluating the target ${attr}" (
      builtins.deepSeq target.document target.document
    );
in
map documentOf (builtins.fromJSON attrs)
