/**
  { name, modules } → an application's kubernetes.json (nixgen/kubernetes/1), by the real kubenix.

  # Inputs
  nixpkgs, kubenix: trees. Of nixpkgs only lib is read, unless the modules ask for packages.
  pkgs: for modules that do.
*/
{
  nixpkgs,
  kubenix,
  pkgs,
}:
let
  plain = import (nixpkgs + "/lib");
  lib = plain.extend (
    _final: _previous:
    import (kubenix + "/lib/upstreamables.nix") {
      inherit pkgs;
      lib = plain;
    }
  );

  # The argument `kubenix` of modules, as kubenix's own flake gives it.
  argument = {
    inherit evalModules;
    lib = import (kubenix + "/lib") {
      inherit pkgs;
      lib = plain;
    };
    modules = import (kubenix + "/modules");
  };

  evalModules =
    {
      module ? null,
      modules ? [ module ],
      specialArgs ? { },
    }:
    lib.evalModules {
      inherit modules;
      specialArgs = {
        inherit pkgs;
        kubenix = argument;
      }
      // specialArgs;
    };

  describe = import ../../lib/kubernetes { inherit (pkgs) runCommand writeText; };
in
{ name, modules }:
let
  inherit
    (evalModules {
      modules = [
        {
          _file = "nixgen's arguments for applications";
          _module.args = { inherit name; };
        }
      ]
      ++ modules;
    })
    config
    ;
in
describe {
  inherit name;
  inherit (config.kubernetes) namespace version;
  objects = config.kubernetes.generated.items;
}
