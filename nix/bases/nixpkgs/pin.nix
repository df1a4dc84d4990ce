# The tree that flake-inputs.json pins, fetched and checked against its hash.
let
  # beside this library's source, and at the root of a project with generated/lib/bases/nixpkgs
  places = [
    ../../../flake-inputs.json
    ../../../../flake-inputs.json
  ];
  found = builtins.filter builtins.pathExists places;
  document = builtins.fromJSON (builtins.readFile (builtins.head found));
  pin =
    if found == [ ] then
      throw "there is no flake-inputs.json; run `nixgen init`, or pass inputs.nixpkgs"
    else
      document.inputs.nixpkgs
        or (throw "flake-inputs.json pins no nixpkgs; add it, or pass inputs.nixpkgs");
in
builtins.fetchTarball {
  url = "https://github.com/${pin.owner}/${pin.repo}/archive/${pin.rev}.tar.gz";
  sha256 = pin.narHash;
}
