/**
  A small evaluator of NixOS-like modules.

  # Inputs
  baseHint: the last line of "option is not known": what this base offers and what to use instead.
  provided: files of modules that declare options which this base has by itself; importing them means nothing here.

  # Output
  evaluate: see evaluate.nix.
  types: see types.nix.
  functions: `mkIf`, `mkForce` and the like, for `lib`.
*/
{
  baseHint,
  provided ? [ ],
}:
let
  properties = import ./properties.nix;
  text = import ./text.nix;
in
{
  evaluate = import ./evaluate.nix {
    inherit
      properties
      text
      baseHint
      provided
      ;
  };
  types = import ./types.nix { inherit text; };
  inherit (properties) functions;
}
