/**
  The whole public surface of this library.

  # Inputs
  base: "debian" (patched Debian packages, needs only Nix and a mirror) or "nixpkgs".
  system: such as "x86_64-linux".
  inputs: trees by name, in place of what flake-inputs.json pins.
  pins: the project's flake-inputs.json, for the trees that the nixpkgs base reads.
  lock: the project's debian.lock.json; required by the Debian base.
  packageNames: attribute name → attribute path on nixpkgs, where they differ.

  # Output
  { lib, pkgs, machine, image, kubernetes, test, shell }, as docs/contracts.md (1) says.

  # Example
  (import ./nix { base = "debian"; system = "x86_64-linux"; lock = ./debian.lock.json; }).pkgs.nginx
*/
{
  base,
  system,
  inputs ? { },
  pins ? null,
  lock ? null,
  packageNames ? { },
}:
if base == "debian" then
  import ./bases/debian { inherit system lock; }
else if base == "nixpkgs" then
  import ./bases/nixpkgs {
    inherit system packageNames;
    inputs = import ./lib/inputs.nix {
      file = pins;
      overrides = inputs;
    };
  }
else
  throw ''the base is "${base}"; it must be "debian" or "nixpkgs"''
