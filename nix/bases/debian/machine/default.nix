/**
  Machines and tests of machines on the Debian base.

  # Inputs
  lib, pkgs: as modules see them; the module functions (`mkIf`, …) are added here.
  debian: { system, lock, roots, package, unpacked, closureOf, busybox, runBusybox } of ../default.nix.

  # Output
  machine: { name, modules } → derivation with $out/etc, $out/init and $out/vm.json; beside it `config`, as evaluated,
    and `files`, what is in $out/etc.
  test: { name, modules } → derivation with $out/vm.json.
*/
{
  lib,
  pkgs,
  debian,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    genList
    head
    isFunction
    length
    listToAttrs
    mapAttrs
    match
    ;

  evaluator = import ./evaluator {
    baseHint =
      "the Debian base knows the options that nixgen emits (docs/contracts.md §2); "
      + "for all of NixOS, use base = \"nixpkgs\"";
    provided = map toString [
      ../../../nixos/cluster.nix
      ../../../nixos/secrets.nix
    ];
  };
  inherit (evaluator) evaluate;

  moduleLib = lib // evaluator.functions;
  optionsOf =
    name:
    import ./options.nix {
      inherit (evaluator) types;
      inherit name;
    };

  kernelPackage =
    let
      # linux-image-cloud-amd64 only depends on the image of the current version.
      images = filter (name: match "linux-image-[0-9].*" name != null) (
        debian.closureOf debian.roots._kernel
      );
    in
    if length images == 1 then
      debian.unpacked (head images)
    else
      throw (
        "the lock's root _kernel must lead to one linux-image package, and leads to "
        + "${toString (length images)}; run: nixgen inputs update debian"
      );

  kernel = import ./boot/kernel.nix {
    inherit (debian) runBusybox;
    inherit userland;
    package = kernelPackage;
  };

  initrd = import ./boot/initrd.nix {
    inherit (debian) runBusybox busybox;
    inherit kernel;
  };

  userland = import ./userland.nix {
    inherit (debian) runBusybox;
    packages = map debian.unpacked (debian.closureOf debian.roots._machine);
  };

  makeSystem = import ./system.nix {
    inherit
      pkgs
      debian
      userland
      kernel
      ;
  };

  describe = import ./description.nix {
    inherit (debian) busybox;
    inherit (pkgs) writeText;
  };

  programs = import ../../../lib/programs.nix { inherit (pkgs) runCommand; };

  # The first serial port of the board that the VM runner picks for a system.
  serialPorts = {
    aarch64-linux = "ttyAMA0";
    x86_64-linux = "ttyS0";
  };

  # What the kernel is told; the VM runner appends nixgen.toplevel= and nixgen.shell=1.
  cmdline = concatStringsSep " " [
    "console=${serialPorts.${debian.system}}"
    # eth0, eth1, … in the order of the virtual networks
    "net.ifnames=0"
    "panic=-1"
    "quiet"
    "loglevel=4"
    # a test machine has nothing to defend against its own host, and pays for it under emulation
    "mitigations=off"
    "audit=0"
    "random.trust_cpu=on"
    "systemd.journald.forward_to_console=1"
    "systemd.show_status=0"
  ];

  # Name → its place in the list, from 1.
  positions =
    list:
    listToAttrs (
      genList (index: {
        name = elemAt list index;
        value = index + 1;
      }) (length list)
    );

  addressOf = vlan: number: "192.168.${toString vlan}.${toString number}";

  # NixOS's rule for networking.hostName.
  isHostName = name: match "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?" name != null;

  /**
    One node from its configuration: `{ description, system }`.
  */
  makeNode =
    {
      subject,
      name,
      number,
      config,
      virtualisation,
      neighbours,
      secrets ? [ ],
    }:
    let
      inherit (virtualisation) vlans;
      wrong = filter (vlan: vlan > 254) vlans;
      badNames = filter (each: !isHostName each) [
        name
        config.networking.hostName
      ];
      system = makeSystem {
        inherit config subject neighbours;
        interfaces = genList (index: {
          device = "eth${toString index}";
          address = "${addressOf (elemAt vlans index) number}/24";
        }) (length vlans);
      };
    in
    if badNames != [ ] then
      throw (
        "${subject}: `${head badNames}` is not a host name: letters and digits, dashes and underscores "
        + "inside, at most 63 characters."
      )
    else if wrong != [ ] then
      throw (
        "${subject}: virtualisation.vlans has ${toString (head wrong)}; "
        + "a network's number is at most 254."
      )
    else if number > 254 then
      throw "${subject}: a test has at most 254 machines."
    else
      {
        inherit system;
        description = {
          inherit name vlans;
          memory = virtualisation.memorySize;
          inherit (virtualisation) cores diskSize;
          addresses = listToAttrs (
            map (vlan: {
              name = toString vlan;
              value = addressOf vlan number;
            }) vlans
          );
          kernel = "${kernel}/vmlinuz";
          initrd = "${initrd}/initrd";
          cmdline = concatStringsSep " " ([ cmdline ] ++ config.boot.kernelParams);
          toplevel = "${system}";
        }
        // (if secrets == [ ] then { } else { inherit secrets; });
      };

  machine =
    { name, modules }:
    let
      subject = "machine \"${name}\"";
      options = optionsOf name;
      config = evaluate {
        inherit subject modules;
        options = options.machine;
        arguments = {
          inherit pkgs name;
          lib = moduleLib;
          nodes = { };
        };
      };
      node = makeNode {
        inherit subject name config;
        number = 1;
        virtualisation = mapAttrs (_: option: option.default) options.node.virtualisation;
        neighbours = { };
      };
      description = describe {
        inherit (debian) system;
        inherit name;
        testScript = "";
        nodes = [ node.description ];
      };
    in
    (debian.runBusybox "machine-${name}"
      {
        inherit description;
        toplevel = node.system;
      }
      ''
        set -eu
        mkdir "$out"
        ln -s "$toplevel/etc" "$out/etc"
        ln -s "$toplevel/init" "$out/init"
        ln -s "$description" "$out/vm.json"
      ''
    )
    // {
      inherit config;
      inherit (node.system) files;
    };

  test =
    { name, modules }:
    let
      subject = "test \"${name}\"";
      arguments = {
        inherit pkgs;
        lib = moduleLib;
      };
      config = evaluate {
        inherit subject modules;
        options = (optionsOf name).test;
        arguments = arguments // {
          inherit name;
        };
      };

      names = attrNames config.nodes;
      numbers = positions names;
      subjectOf = node: "${subject}, machine \"${node}\"";

      configs = mapAttrs (
        node: nodeModules:
        evaluate {
          subject = subjectOf node;
          modules = nodeModules;
          options = (optionsOf node).node;
          arguments = arguments // {
            name = node;
            nodes = configs;
          };
        }
      ) config.nodes;

      # The others by the first network that they share, under the node's name and its host name.
      neighboursOf =
        node:
        let
          own = configs.${node}.virtualisation.vlans;
          entry =
            other:
            let
              shared = filter (vlan: elem vlan own) configs.${other}.virtualisation.vlans;
              inherit (configs.${other}.networking) hostName;
            in
            if other == node || shared == [ ] then
              [ ]
            else
              [
                {
                  name = addressOf (head shared) numbers.${other};
                  value = [ other ] ++ (if hostName == other then [ ] else [ hostName ]);
                }
              ];
        in
        listToAttrs (concatMap entry names);

      nodes = mapAttrs (
        node: nodeConfig:
        makeNode {
          subject = subjectOf node;
          name = node;
          number = numbers.${node};
          config = nodeConfig;
          inherit (nodeConfig) virtualisation;
          neighbours = neighboursOf node;
          secrets = config.nixgen.secrets.${node} or [ ];
        }
      ) configs;

      strangers = filter (node: !(configs ? ${node})) (attrNames config.nixgen.secrets);

      testScript =
        if isFunction config.testScript then config.testScript { nodes = configs; } else config.testScript;

      description = describe {
        inherit (debian) system;
        inherit (config) name;
        inherit testScript;
        nodes = map (node: nodes.${node}.description) names;
      };
    in
    if names == [ ] then
      throw "${subject}: it has no machines; define `nodes.NAME`."
    else if strangers != [ ] then
      throw "${subject}: nixgen.secrets.${head strangers} is no machine of the test."
    else
      debian.runBusybox "test-${name}"
        {
          inherit description;
          # Not read: a test whose programs do not exist is not built.
          programs = programs.check {
            inherit subject;
            programs = programs.ofText "script" testScript;
          };
        }
        ''
          set -eu
          mkdir "$out"
          ln -s "$description" "$out/vm.json"
        '';
in
{
  inherit machine test;
}
