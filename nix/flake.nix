/**
  The outputs of a project's flake, all of them on the nixpkgs base. generated/flake.nix says how to use it.

  # Inputs
  project: the function of generated/default.nix.
  inputs: those of the flake.
  machines: system → the names of its machines. Everything else is there for each of these systems.
*/
{
  project,
  inputs,
  machines,
}:
let
  lib = import ./lib;
  flat = import ./lib/flat.nix;

  targets = builtins.mapAttrs (
    system: names:
    let
      all = project {
        base = "nixpkgs";
        inherit system;
        inputs = builtins.removeAttrs inputs [ "self" ];
      };
    in
    all // { machines = lib.genAttrs names (name: all.machines.${name}); }
  ) machines;

  each = output: builtins.mapAttrs (_: output) targets;

  app = description: program: {
    type = "app";
    inherit program;
    meta = { inherit description; };
  };
in
{
  packages = each flat;

  nixosConfigurations = builtins.foldl' (
    all: one: all // builtins.mapAttrs (_: machine: machine.nixos) one.machines
  ) { } (builtins.attrValues targets);

  checks = each (one: one.tests);

  devShells = each (one: one.shells);

  formatter = each (one: one.formatter);

  apps = each (
    one:
    lib.mapAttrs' (
      name: test:
      lib.nameValuePair "test-${name}" (
        app "The driver of the test ${name}, to run it by hand" "${test.driver}/bin/nixos-test-driver"
      )
    ) one.tests
    // lib.mapAttrs' (
      name: machine:
      lib.nameValuePair "vm-${name}" (
        app "The machine ${name} in a virtual machine" "${machine.vm}/bin/run-${machine.config.system.name}-vm"
      )
    ) one.machines
  );
}
