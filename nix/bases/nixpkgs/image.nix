/**
  { name, tag, config, contents ? [ ], extra ? [ ], users ? { } } → a derivation whose $out is an image.json
  (nixgen/image/1, docs/contracts.md §4).

  # Inputs
  config: the OCI image configuration; store paths in it become part of the image.
  contents: packages whose programs appear in /bin.
  extra: store paths that belong to the image though its configuration names none of them.
  users: name → { uid, gid, home }.
*/
{ pkgs }:
{
  name,
  tag,
  config,
  contents ? [ ],
  extra ? [ ],
  users ? { },
}:
let
  inherit (pkgs) lib;
  inherit (pkgs.stdenv) hostPlatform;

  architectures = {
    aarch64 = "arm64";
    i686 = "386";
    x86_64 = "amd64";
  };
  architecture = architectures.${hostPlatform.parsed.cpu.name} or hostPlatform.parsed.cpu.name;

  accounts = {
    root = {
      uid = 0;
      gid = 0;
      home = "/root";
    };
    nobody = {
      uid = 65534;
      gid = 65534;
      home = "/";
    };
  }
  // (import ../../lib/lines.nix).accounts "image \"${name}\"" users;
  lines =
    line: lib.concatStrings (lib.mapAttrsToList (user: account: line user account + "\n") accounts);
  passwd = lines (
    user:
    {
      uid,
      gid,
      home ? "/",
      ...
    }:
    "${user}:x:${toString uid}:${toString gid}::${home}:/bin/sh"
  );
  group = lines (user: { gid, ... }: "${user}:x:${toString gid}:");

  # Files and not links in /etc: container engines read them from outside of the container.
  root = pkgs.buildEnv {
    name = "${name}-root";
    paths = contents;
    pathsToLink = [ "/bin" ];
    ignoreCollisions = true;
    postBuild = ''
      mkdir -p $out/etc $out/tmp
      cp ${pkgs.writeText "passwd" passwd} $out/etc/passwd
      cp ${pkgs.writeText "group" group} $out/etc/group
    '';
  };

  programs = import ../../lib/programs.nix { inherit (pkgs) runCommand; };

  # Only there to have its references counted.
  references = pkgs.writeText "${name}-config.json" (builtins.toJSON config);
in
derivation {
  name = "${name}-image.json";
  inherit (hostPlatform) system;
  builder = "${pkgs.bash}/bin/bash";
  args = [
    "-e"
    ./image.sh
  ];
  __structuredAttrs = true;
  exportReferencesGraph.closure = [
    root
    references
  ]
  ++ extra;
  # Not read: an image whose programs do not exist is not built.
  programs = programs.check {
    subject = "image \"${name}\"";
    programs = programs.ofImage config;
    root = "${root}";
  };
  jq = "${pkgs.jq}/bin/jq";
  inherit references;
  image = {
    schema = "nixgen/image/1";
    inherit
      name
      tag
      architecture
      config
      ;
    os = "linux";
    inherit root;
  };
}
