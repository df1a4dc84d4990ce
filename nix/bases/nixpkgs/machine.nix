/**
  { name, modules } → the machine's system.build.toplevel, and beside it `config`, as evaluated.

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

  evaluated = import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit system;
    modules = [ defaults ] ++ modules;
  };
in
evaluated.config.system.build.toplevel // { inherit (evaluated) config; }
