/**
  A small evaluator of NixOS-like modules.

  # Inputs
  baseHint: the last line of "option is not known": what this base offers and what to use instead.

  # Output
  evaluate: see evaluate.nix.
  types: see types.nix.
  functions: `mkIf`, `mkForce` and the like, for `lib`.
*/
{ baseHint }:
let
  properties = import ./properties.nix;
  text = import ./text.nix;
in
{
  evaluate = import ./evaluate.nix { inherit properties text baseHint; };
  types = import ./types.nix { inherit text; };
  inherit (properties) functions;
}
