/**
  { name, packages } → an environment for `nix develop` and nix-shell, with the programs of the packages on its PATH, and
  the formatter.
*/
{ pkgs, formatter }:
{ name, packages }:
pkgs.mkShell {
  inherit name;
  nativeBuildInputs = packages ++ [ formatter ];
}
