/**
  A module of NixOS tests: secrets whose values are made when the test runs, and are in no store path.

  nixgen.secrets lists the files of each node's secrets. The test script begins with nixgen.prelude, Python code
  (./secrets.py) that makes the values and writes one archive for each node. A node reads its archive from QEMU's fw_cfg device, and writes the
  files before the first ordinary service starts. Only root can read them.

  A secret with `given = true` has a value that somebody chose. It is read from the file of the secret's name in the
  folder $NIXGEN_SECRETS_DIR. A test that Nix runs in a build cannot see this folder: run the driver of the test instead.
*/
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  optional =
    type: default: description:
    mkOption { inherit type default description; };

  secret = types.submodule {
    options = {
      name = mkOption {
        type = types.str;
        description = "Name of the secret.";
      };
      file = mkOption {
        type = types.str;
        description = "Absolute path in the machine.";
      };
      given = optional types.bool false "Whether the value is read from NIXGEN_SECRETS_DIR.";
      length = optional types.int 32 "Number of characters of a value that is made.";
      alphabet =
        optional types.str "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
          "Characters of a value that is made.";
    };
  };

  # A name of a node may be no name of a shell variable or file.
  archive = node: "${builtins.hashString "sha256" node}.tar";

  machine =
    node: _secrets:
    { pkgs, ... }:
    {
      boot.kernelModules = [ "qemu_fw_cfg" ];
      # QEMU's start script expands the variable, which ./secrets.py sets.
      virtualisation.qemu.options = [
        "\${NIXGEN_SECRETS:+-fw_cfg name=opt/nixgen/secrets,file=$NIXGEN_SECRETS/${archive node}}"
      ];
      systemd.services.nixgen-secrets = {
        description = "Secrets of the test";
        wantedBy = [ "sysinit.target" ];
        before = [ "sysinit.target" ];
        after = [
          "local-fs.target"
          "systemd-modules-load.service"
        ];
        unitConfig.DefaultDependencies = false;
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
        path = [ pkgs.gnutar ];
        script = "tar -x -f /sys/firmware/qemu_fw_cfg/by_name/opt/nixgen/secrets/raw -C /";
      };
    };

  archives = lib.mapAttrs' (
    node: secrets: lib.nameValuePair (archive node) secrets
  ) config.nixgen.secrets;
in
{
  options.nixgen = {
    secrets = optional (types.attrsOf (
      types.listOf secret
    )) { } "Files of secrets, by the node that has them.";
    prelude = mkOption {
      type = types.lines;
      internal = true;
      description = "Python code that the test script begins with.";
    };
  };

  config = {
    nodes = lib.mapAttrs machine config.nixgen.secrets;
    # JSON's strings are strings of Python.
    nixgen.prelude = ''
      ${builtins.readFile ./secrets.py}
      nixgen_secrets(${builtins.toJSON (builtins.toJSON archives)})
    '';
  };
}
