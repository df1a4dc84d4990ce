/**
  The real NixOS, behind the same surface as the Debian base.

  # Inputs
  system: such as "x86_64-linux".
  inputs: name → tree, as ../../lib/inputs.nix gives them; nixpkgs must be among them, and kubenix for applications.
  packageNames: attribute name → attribute path of nixpkgs ("python3" = "python311"), where they differ.

  # Output
  { lib, pkgs, machine, image, kubernetes, test, shell }, as ../../default.nix describes them, and `formatter`: a package whose program
  formats Nix.
*/
{
  system,
  inputs,
  packageNames ? { },
}:
let
  # A tree that is what its name says, or an error in words.
  input =
    name: landmark:
    let
      tree =
        inputs.${name}
          or (throw ''the input "${name}" is not pinned; add it to flake-inputs.json, or pass inputs.${name}'');
    in
    if builtins.pathExists (tree + "/${landmark}") then
      tree
    else
      throw ''the input "${name}" is no ${name}: ${toString tree} has no ${landmark}'';
  nixpkgs = input "nixpkgs" "nixos/lib/eval-config.nix";
  kubenix = input "kubenix" "modules/k8s.nix";

  renamed = _final: previous: builtins.mapAttrs (name: find name previous) packageNames;
  find =
    name: packages: path:
    packages.lib.attrByPath (packages.lib.splitString "." path)
      (throw ''nixpkgs has no "${path}", which the project names for its package "${name}"'')
      packages;

  # nixpkgs can give libraries to all interpreters of `with_packages` but this one.
  refused = _final: previous: {
    nodejs = previous.nodejs // {
      withPackages =
        _:
        throw "nixpkgs has no libraries for Node: with_packages of nodejs needs the Debian base; here, bring node_modules with the program's Source";
    };
  };

  # No configuration and no overlay of whoever evaluates: the same project gives the same derivations.
  pkgs = import nixpkgs {
    inherit system;
    config = { };
    overlays = [
      renamed
      refused
    ];
  };

  linux =
    what: value:
    if pkgs.stdenv.hostPlatform.isLinux then
      value
    else
      throw "there are no ${what} of ${system}, only of Linux: pass the system x86_64-linux, or aarch64-linux";

  # The official one, for whole trees, which newer nixpkgs have; then what was there before it.
  formatter = pkgs.nixfmt-tree or pkgs.nixfmt-rfc-style or pkgs.nixpkgs-fmt;
in
{
  inherit pkgs;
  inherit (pkgs) lib;
  machine = import ./machine.nix { inherit nixpkgs pkgs system; };
  image = linux "images" (import ./image.nix { inherit pkgs; });
  kubernetes = import ./kubernetes.nix { inherit kubenix nixpkgs pkgs; };
  test = linux "tests" (import ./test.nix { inherit pkgs; });
  shell = import ./shell.nix { inherit formatter pkgs; };
  inherit formatter;
}
