/**
  Machines as NixOS and as the Debian base understand them.

  # Inputs
  nixpkgs: a tree.
  library: nixgen's nix/ directory, as it is beside the machines.
  machines: name → { modules, services }: what the machine is made of, and the names of its services.
  debianToo: whether the Debian base is asked.

  # Output
  name → { nixos, debian }, each { facts, units, etc }: values of options, texts of unit files, texts of files below /etc. On the
  Debian base `packages` are those of nixpkgs, so that store paths are equal.
*/
{
  nixpkgs,
  library,
  machines,
  debianToo ? true,
}:
let
  system = "x86_64-linux";
  base = import (library + "/bases/nixpkgs") {
    inherit system;
    inputs = { inherit nixpkgs; };
    packageNames.flask = "python3Packages.flask";
  };
  inherit (base) pkgs lib;

  debian = import (library + "/bases/debian/machine") {
    lib = import (library + "/lib");
    inherit pkgs;
    debian = {
      inherit system;
      busybox = "/busybox";
      runBusybox =
        name: env: _:
        env // { outPath = "/stub/${name}"; };
      unpacked = name: "/unpacked/${name}";
      closureOf = names: names;
      roots = {
        _machine = [ "systemd" ];
        _kernel = [ "linux-image-6.1.0-1-cloud-amd64" ];
      };
    };
  };

  addresses = map (each: "${each.address}/${toString each.prefixLength}");
  gateway = value: if builtins.isAttrs value then value.address else value;

  facts = config: {
    inherit (config.networking)
      domain
      hostName
      hosts
      nameservers
      search
      ;
    gateways = lib.filter (each: each != null) (
      map gateway [
        config.networking.defaultGateway
        config.networking.defaultGateway6
      ]
    );
    interfaces = lib.mapAttrs (_: interface: {
      addresses = addresses (interface.ipv4.addresses ++ interface.ipv6.addresses);
      inherit (interface) mtu useDHCP;
    }) config.networking.interfaces;
    firewall = {
      inherit (config.networking.firewall) enable allowedTCPPorts allowedUDPPorts;
    };
    users = lib.mapAttrs (_: user: {
      inherit (user)
        description
        extraGroups
        group
        home
        isNormalUser
        isSystemUser
        uid
        ;
      inherit (user.openssh.authorizedKeys) keys;
      shell = if user.shell == null then null else "${user.shell}";
    }) config.users.users;
    groups = lib.mapAttrs (_: group: group.gid) config.users.groups;
    packages = map (package: "${package}") config.environment.systemPackages;
    fileSystems = lib.mapAttrs (_: fileSystem: {
      inherit (fileSystem)
        device
        fsType
        neededForBoot
        options
        ;
    }) config.fileSystems;
    swap = map (each: each.device) config.swapDevices;
    boot = {
      inherit (config.boot) kernelModules kernelParams;
      inherit (config.boot.initrd) availableKernelModules;
      inherit (config.boot.kernel) sysctl;
      grub = { inherit (config.boot.loader.grub) enable device; };
      systemd-boot = config.boot.loader.systemd-boot.enable;
    };
    tmpfiles = config.systemd.tmpfiles.rules;
    inherit (config.environment) variables;
    nixgen = {
      cluster = config.nixgen.cluster or null;
      ec2 = config.nixgen.ec2 or null;
    };
  };

  # The text of a file, or where it comes from.
  contents =
    file: if file.text or null != null then file.text else file.source.text or "${file.source}";

  both =
    name:
    { modules, services }:
    let
      nixos = (base.machine { inherit name modules; }).config;
      other = debian.machine { inherit name modules; };
    in
    {
      nixos = {
        facts = facts nixos;
        units = lib.genAttrs services (service: nixos.systemd.units."${service}.service".text);
        # NixOS has many more
        etc = lib.mapAttrs (_: contents) (
          lib.optionalAttrs debianToo (
            builtins.intersectAttrs other.config.environment.etc nixos.environment.etc
          )
        );
      };
    }
    // lib.optionalAttrs debianToo {
      debian = {
        facts = facts other.config;
        units = lib.genAttrs services (service: other.files."systemd/system/${service}.service".text);
        etc = lib.mapAttrs (_: contents) other.config.environment.etc;
      };
    };
in
lib.mapAttrs both machines
