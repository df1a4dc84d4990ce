/**
  Applications by one base, without packages: name → { modules } in, name → the document out, or null where it fails.

  # Inputs
  repository: this checkout.  nixpkgs, kubenix: trees, for the real kubenix; the Debian base when they are null.
  applications: name → list of modules.
*/
{
  repository,
  nixpkgs ? null,
  kubenix ? null,
  applications,
}:
let
  # store paths that are the same everywhere
  pkgs =
    builtins.listToAttrs (
      map
        (name: {
          inherit name;
          value = "/nix/store/${name}";
        })
        [
          "bash"
          "flask"
          "redis"
        ]
    )
    // {
      writeText = name: _: "/nix/store/${name}";
      writeTextFile = { name, ... }: "/nix/store/${name}";
    };
  render =
    if kubenix == null then
      import (repository + "/nix/bases/debian/kubernetes") {
        lib = import (repository + "/nix/lib");
        inherit pkgs;
      }
    else
      import (repository + "/nix/bases/nixpkgs/kubernetes.nix") { inherit kubenix nixpkgs pkgs; };
  document =
    name: modules:
    let
      found = (render { inherit name modules; }).document;
      tried = builtins.tryEval (builtins.deepSeq found found);
    in
    if tried.success then tried.value else null;
in
builtins.mapAttrs document applications
