/**
  All targets in one set, as a flake has its packages: packages by name, the others with their kind before it.

  # Example
  flat { packages.hello = 1; machines.web = 2; } → { hello = 1; machine-web = 2; }
*/
{
  packages,
  machines ? { },
  images ? { },
  tests ? { },
  kubernetes ? { },
  ...
}:
let
  prefixed =
    prefix: set:
    builtins.listToAttrs (
      map (name: {
        name = "${prefix}-${name}";
        value = set.${name};
      }) (builtins.attrNames set)
    );
in
packages
// prefixed "machine" machines
// prefixed "image" images
// prefixed "test" tests
// prefixed "kubernetes" kubernetes
