/**
  Targets in the form for nix-eval-jobs: a flat set of derivations.

  # Inputs
  file, arguments: see ./tree.nix.
  attrs: the targets, a list as JSON.

  # Output
  { t0, t1, … }: the targets, in their order. The names have no dots, because versions of nix-eval-jobs
  treat dots differently.
*/
{
  file,
  arguments,
  attrs,
}:
let
  inherit (import ./tree.nix { inherit file arguments; }) select;
  wanted = builtins.fromJSON attrs;
in
builtins.listToAttrs (
  builtins.genList (number: rec {
    name = "t${toString number}";
    value = builtins.addErrorContext "while evaluating the target ${attr}" (select attr);
    attr = builtins.elemAt wanted number;
  }) (builtins.length wanted)
)
