/**
  { name, modules } → the machine's system.build.toplevel, and beside it
    config: as evaluated.
    nixos: all of the evaluation, as nixosConfigurations of a flake has it.
    vm: the same machine with QEMU's devices, whose bin/run-…-vm starts it; root is logged in on its console.

  A generated machine says what runs on it, not what disk it boots from. The defaults here let it be evaluated and
  built as it is; a configuration that imports the module for real hardware brings its own and wins.
*/
{
  nixpkgs,
  pkgs,
  system,
}:
{ name, modules }:
let
  defaults =
    { lib, ... }:
    {
      _file = "nixgen's defaults for machines";
      _module.args = {
        inherit name;
        nodes = { };
      };
      boot.loader.grub.enable = lib.mkDefault false;
      fileSystems."/" = {
        device = lib.mkDefault "/dev/disk/by-label/nixos";
        fsType = lib.mkDefault "ext4";
      };
      networking.hostName = lib.mkDefault name;
      nixpkgs.pkgs = lib.mkDefault pkgs;
      system.stateVersion = lib.mkDefault lib.trivial.release;
    };

  programs = import ../../lib/programs.nix { inherit (pkgs) runCommand; };

  # Nothing of the check is in the system: it only has to be built before it.
  programsExist =
    { config, ... }:
    {
      _file = "nixgen's check of programs";
      system.extraDependencies = programs.check {
        subject = "machine \"${name}\"";
        programs = programs.ofServices config.systemd.services ++ programs.ofUsers config.users.users;
      };
    };

  evaluate =
    more:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit system;
      modules = [
        defaults
        programsExist
      ]
      ++ modules
      ++ more;
    };
  nixos = evaluate [ ];

  # The option moved in 21.05.
  loggedIn =
    { lib, options, ... }:
    {
      _file = "nixgen's virtual machines";
      services.${if options.services ? getty then "getty" else "mingetty"}.autologinUser =
        lib.mkDefault "root";
    };
  vm = evaluate [
    (nixpkgs + "/nixos/modules/virtualisation/qemu-vm.nix")
    loggedIn
  ];
in
nixos.config.system.build.toplevel
// {
  inherit (nixos) config;
  inherit nixos;
  inherit (vm.config.system.build) vm;
}
