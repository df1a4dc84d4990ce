/**
  An OCI image, described: image.json of contract 4. No layer is made here; nixgen.oci streams them out of the store.

  # Inputs
  name, tag: of the image.
  config: the OCI image configuration's `config` object; store paths in it become part of the image.
  contents: packages whose programs appear in /bin and whose data appears below /usr/share and /etc.
  extra: store paths that belong to the image though its configuration names none of them.
  users: name → { uid, gid, home }, for /etc/passwd and /etc/group.

  # Output
  A derivation whose $out is the file image.json.

  # Example
  image { name = "web"; tag = "1"; config.Entrypoint = [ "${pkgs.nginx}/bin/nginx" ]; contents = [ pkgs.nginx ]; }
*/
{ debian, pkgs }:
{
  name,
  tag ? "latest",
  config ? { },
  contents ? [ ],
  extra ? [ ],
  users ? { },
}:
let
  inherit (debian) busybox runBusybox system;
  inherit (pkgs) lib;

  everybody = {
    root = {
      uid = 0;
      gid = 0;
      home = "/root";
    };
    nobody = {
      uid = 65534;
      gid = 65534;
      home = "/nonexistent";
    };
  }
  // (import ../../lib/lines.nix).accounts "image \"${name}\"" users;
  groups = builtins.mapAttrs (_: user: user.gid) everybody // {
    nogroup = 65534;
  };

  # Data is looked for in packages and in what they directly depend on; all of the closure would be far too much.
  nearby = lib.unique (builtins.concatMap (package: package.nearby or [ package ]) contents);

  # What the configuration names, for packages that are in the image without being among its contents.
  referred = map toString extra ++ [ (builtins.toJSON config) ];

  folders = builtins.fromJSON (builtins.readFile ./data/image-folders.json);

  root = runBusybox "${name}-root" (
    {
      contents = contents;
      inherit nearby;
      joinedShare = folders."usr/share".joined;
      leftOutShare = folders."usr/share".leftOut;
      joinedEtc = folders.etc.joined;
      leftOutEtc = folders.etc.leftOut;
      passwd = lib.concatLines (
        lib.mapAttrsToList (
          user:
          {
            uid,
            gid,
            home ? "/",
            ...
          }:
          "${user}:x:${toString uid}:${toString gid}::${home}:/bin/sh"
        ) everybody
      );
      group = lib.concatLines (lib.mapAttrsToList (group: gid: "${group}:x:${toString gid}:") groups);
    }
    // debian.absolutePaths.variables name contents referred
  ) (builtins.readFile ./image-root.sh);

  programs = import ../../lib/programs.nix { inherit (pkgs) runCommand; };

  # Everything but the closure. It is a store path of its own, so that Nix finds what the configuration refers to.
  description = pkgs.writeText "${name}-description" (
    builtins.toJSON {
      schema = "nixgen/image/1";
      inherit
        name
        tag
        config
        root
        ;
      architecture = debian.architecture.oci;
      os = "linux";
    }
  );
in
derivation {
  name = "${name}-image.json";
  inherit system;
  __structuredAttrs = true;
  exportReferencesGraph.closure = [
    description
    root
  ]
  ++ extra;
  # Not read: an image whose programs do not exist is not built.
  programs = programs.check {
    subject = "image \"${name}\"";
    programs = programs.ofImage config;
    root = "${root}";
  };
  builder = "${busybox}/bin/busybox";
  args = [
    "sh"
    "-eu"
    ./image.sh
    busybox
    description
    (builtins.placeholder "out")
  ];
}
