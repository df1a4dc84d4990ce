/**
  The targets of a project, from the data that generated/default.nix holds.

  # Inputs
  base, system, inputs, pins, lock: see ./default.nix.
  name: of the project.
  environment: the name of one of `environments`, or null.
  environments: name → { MACHINE = module laid over it; }.
  images: name → file: { nixgen, pkgs, ... }: image.
  kubernetes: name → { module, overlays = { ENVIRONMENT = module laid over it; }; }.
  machines: name → { module, system }.
  packages: those that are targets themselves: attribute names, or { name, package = pkgs: derivation; }.
  packageNames: attribute name → attribute path on nixpkgs, where they differ.
  tests: name → { module, nodes }.
  tools: packages for who works on the project, likewise.

  # Output
  { machines, images, kubernetes, tests, packages, shells }: sets of derivations; on the nixpkgs base also `formatter`.
*/
{
  base,
  system,
  inputs,
  pins,
  lock,
  name,
  environment,
  environments,
  images,
  kubernetes,
  machines,
  packages,
  packageNames,
  tests,
  tools,
}:
let
  # One for each system and not for each machine: reading nixpkgs or the lock anew costs more than a small machine.
  instances = builtins.listToAttrs (
    map (system: {
      name = system;
      value = import ./. {
        inherit
          base
          system
          inputs
          pins
          lock
          packageNames
          ;
      };
    }) ([ system ] ++ map (machine: machine.system) (builtins.attrValues machines))
  );
  nixgen = instances.${system};

  overlays =
    if environment == null then
      { }
    else if environments ? ${environment} then
      environments.${environment}
    else
      throw ''the project has no environment "${environment}"; it has: ${
        if environments == { } then
          "none"
        else
          builtins.concatStringsSep ", " (builtins.attrNames environments)
      }'';
  package =
    entry: if builtins.isString entry then nixgen.pkgs.${entry} else entry.package nixgen.pkgs;

  overlay = name: if overlays ? ${name} then [ overlays.${name} ] else [ ];
in
{
  machines = builtins.mapAttrs (
    name:
    { module, system }:
    instances.${system}.machine {
      inherit name;
      modules = [ module ] ++ overlay name;
    }
  ) machines;

  images = builtins.mapAttrs (
    _: file:
    import file {
      inherit nixgen;
      inherit (nixgen) pkgs;
    }
  ) images;

  kubernetes = builtins.mapAttrs (
    name: application:
    nixgen.kubernetes {
      inherit name;
      # a wrong environment is an error here, too, where none need change anything
      modules = builtins.seq overlays (
        [ application.module ]
        ++ (
          if environment != null && application.overlays ? ${environment} then
            [ application.overlays.${environment} ]
          else
            [ ]
        )
      );
    }
  ) kubernetes;

  tests = builtins.mapAttrs (
    name:
    { module, nodes }:
    nixgen.test {
      inherit name;
      modules = [
        module
        {
          nodes = builtins.listToAttrs (
            map (node: {
              name = node;
              value.imports = overlay node;
            }) nodes
          );
        }
      ];
    }
  ) tests;

  packages = builtins.listToAttrs (
    map (entry: {
      name = entry.name or entry;
      value = package entry;
    }) packages
  );

  shells.default = nixgen.shell {
    inherit name;
    packages = map package (builtins.fromJSON (builtins.readFile ./lib/requirements.json) ++ tools);
  };
}
// (if nixgen ? formatter then { inherit (nixgen) formatter; } else { })
