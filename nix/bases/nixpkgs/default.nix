/**
  The real NixOS, behind the same surface as the Debian base.

  # Inputs
  system: such as "x86_64-linux".
  inputs: { nixpkgs = <path of a tree>; } uses that tree instead of the pin in flake-inputs.json.
  packageNames: attribute name → attribute path of nixpkgs ("python3" = "python311"), where they differ.

  # Output
  { lib, pkgs, machine, image, test }, as ../../default.nix describes them.
*/
{
  system,
  inputs ? { },
  packageNames ? { },
}:
let
  nixpkgs = inputs.nixpkgs or (import ./pin.nix);

  renamed = _final: previous: builtins.mapAttrs (name: find name previous) packageNames;
  find =
    name: packages: path:
    packages.lib.attrByPath (packages.lib.splitString "." path)
      (throw ''nixpkgs has no "${path}", which the project names for its package "${name}"'')
      packages;

  # No configuration and no overlay of whoever evaluates: the same project gives the same derivations.
  pkgs = import nixpkgs {
    inherit system;
    config = { };
    overlays = [ renamed ];
  };
in
{
  inherit pkgs;
  inherit (pkgs) lib;
  machine = import ./machine.nix { inherit nixpkgs pkgs system; };
  image = import ./image.nix { inherit pkgs; };
  test = import ./test.nix { inherit pkgs; };
}
