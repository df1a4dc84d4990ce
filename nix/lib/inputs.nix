/**
  The trees that flake-inputs.json pins, by name. Each is fetched when it is used, and checked against its hash; no
  feature of Nix has to be enabled for it.

  # Inputs
  file: path of flake-inputs.json, or null; paths in it are relative to its folder.
  overrides: name → a tree that stands for what is pinned, if anything is.

  # Output
  name → path of a tree; entries of type debian are none.

  # Example
  import "${(import ./inputs.nix { file = ../flake-inputs.json; }).nixpkgs}/lib"
*/
{
  file,
  overrides ? { },
}:
let
  lib = import ./.;

  document = builtins.fromJSON (builtins.readFile file);
  pins = if file == null || !builtins.pathExists file then { } else document.inputs;

  # Where people look for it, for errors; nixgen.documents.inputs.Pin.origin says the same.
  origin = {
    git = pin: pin.url;
    github = pin: "https://${pin.host or "github.com"}/${pin.owner}/${pin.repo}";
    gitlab = pin: "https://${pin.host or "gitlab.com"}/${pin.owner}/${pin.repo}";
    path = pin: pin.path;
    tarball = pin: pin.url;
  };

  tarball =
    pin: url:
    builtins.fetchTarball {
      inherit url;
      sha256 = pin.narHash;
    };

  fetch = {
    github = _: pin: tarball pin "${origin.github pin}/archive/${pin.rev}.tar.gz";

    # GitLab's own name for a project in a group; the archive of the page wants the name of the file, too.
    gitlab =
      _: pin:
      tarball pin "https://${pin.host or "gitlab.com"}/api/v4/projects/${
        builtins.replaceStrings [ "/" ] [ "%2F" ] "${pin.owner}/${pin.repo}"
      }/repository/archive.tar.gz?sha=${pin.rev}";

    tarball = _: pin: tarball pin pin.url;

    # Compared here, for Nix 2.34 confuses in its message what was expected with what was got. Since 2.20 Nix leaves out files
    # that .gitattributes marks export-ignore here, but not in a flake: such a repository is better pinned as a tarball.
    git =
      name: pin:
      let
        found = builtins.fetchGit (
          {
            inherit (pin) url rev;
          }
          // (if pin ? ref then { inherit (pin) ref; } else { allRefs = true; })
        );
      in
      if found.narHash == pin.narHash then
        found.outPath
      else
        throw ''the input "${name}" is not what is pinned: expected ${pin.narHash}, got ${found.narHash}'';

    path =
      name: pin:
      let
        folder = (if lib.hasPrefix "/" pin.path then /. else dirOf file) + "/${pin.path}";
      in
      if !builtins.pathExists (folder + "/.") then
        throw ''the input "${name}" is no folder: ${toString folder}''
      else if pin ? narHash then
        builtins.path {
          path = folder;
          name = "source";
          sha256 = pin.narHash;
        }
      else
        folder;
  };

  tree =
    name: pin:
    builtins.addErrorContext ''while fetching the input "${name}" from ${origin.${pin.type} pin}${
      if pin ? rev then ", commit ${pin.rev}" else ""
    }'' (fetch.${pin.type} name pin);
in
builtins.mapAttrs tree (lib.filterAttrs (_: pin: pin.type != "debian") pins) // overrides
