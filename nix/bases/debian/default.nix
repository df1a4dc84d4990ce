/**
  The embedded base: Debian packages, locked, patched to run from the store, and what machines and images make of them.

  # Inputs
  system: such as "x86_64-linux".
  lock: path of debian.lock.json.

  # Output
  { lib, pkgs, machine, image, kubernetes, test, shell }, as docs/contracts.md (1) says, and `debian`, the parts that machines use.
*/
{ system, lock }:
let
  architecture =
    (import ./architectures.nix).${system}
      or (throw "the Debian base does not know ${system}; it knows ${builtins.concatStringsSep ", " (builtins.attrNames (import ./architectures.nix))}");
  locked = import ./lock.nix {
    inherit lock;
    architecture = architecture.debian;
  };
  leaveOut = builtins.fromJSON (builtins.readFile ./data/leave-out.json);

  fetch = import ./fetch.nix {
    complain = message: {
      inherit system;
      builder = "/bin/sh";
      args = [
        "-c"
        "echo \"$message\" >&2; exit 1"
      ];
      inherit message;
    };
  };
  inherit
    (import ./busybox.nix {
      inherit system;
      locked = locked.busybox;
      deb = fetch "busybox-static" locked.packages.busybox-static;
    })
    busybox
    ;
  runBusybox = import ./run.nix { inherit system busybox; };

  unpackWith = import ./unpacked.nix { inherit runBusybox leaveOut; };
  unpacked = builtins.mapAttrs (
    name: entry: unpackWith name entry (fetch name entry)
  ) locked.packages;

  units = import ./units.nix {
    inherit
      architecture
      busybox
      fetch
      leaveOut
      locked
      runBusybox
      ;
    patchelf = import ./patchelf.nix {
      inherit runBusybox;
      inherit (architecture) loader;
      packages = map (name: unpacked.${name}) (units.closureOf [ "patchelf" ]);
    };
  };

  builders = import ./builders.nix {
    inherit runBusybox busybox;
    shell = "${units.package "bash"}/bin/bash";
  };
  lib = import ../../lib;
  mainPrograms = builtins.fromJSON (builtins.readFile ./data/main-programs.json);

  # One package is itself; an attribute that stands for several is their union.
  attribute =
    name: packages:
    let
      parts = lib.unique (map units.package packages);
      drv =
        if builtins.length parts == 1 then
          builtins.head parts
        else
          builders.symlinkJoin {
            inherit name;
            paths = parts;
          };
    in
    drv
    // {
      pname = name;
      meta.mainProgram = mainPrograms.${name} or name;
      nearby = builtins.concatMap (part: part.nearby) parts;
      declared = builtins.concatMap (part: part.declared) parts;
    };

  isLibrary = name: builtins.match ".+[.].+" name != null;
  attributes = lib.filterAttrs (name: _: !lib.hasPrefix "_" name && !isLibrary name) locked.roots;
  languages = import ./languages.nix {
    inherit
      architecture
      attribute
      busybox
      lib
      runBusybox
      units
      ;
    roots = lib.filterAttrs (name: _: isLibrary name) locked.roots;
  };

  attributePackages = builtins.mapAttrs (
    name: packages: attribute name packages // languages.functions name packages
  ) attributes;
  pkgs =
    attributePackages
    // languages.libraries
    // builders
    // {
      inherit lib system;
    };

  debian = {
    inherit
      architecture
      busybox
      locked
      lock
      runBusybox
      system
      ;
    inherit (locked) roots;
    inherit (units) package closureOf;
    absolutePaths = import ./absolute-paths {
      inherit (builders) writeText;
      inherit busybox;
      packages = builtins.attrValues attributePackages;
    };
    unpacked =
      name:
      unpacked.${name}
        or (throw "the Debian lock has no package ${name}; run `nixgen inputs update debian`");
  };
in
{
  inherit debian lib pkgs;
  inherit (import ./machine { inherit debian lib pkgs; }) machine test;
  image = import ./image.nix { inherit debian pkgs; };
  kubernetes = import ./kubernetes { inherit lib pkgs; };
  shell = import ./shell.nix { inherit runBusybox; };
}
