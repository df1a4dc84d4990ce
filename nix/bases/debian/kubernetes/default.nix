/**
  Applications on the Debian base: a small kubenix, for the part of Kubernetes that nixgen emits (subset.json).

  # Inputs
  lib, pkgs: as modules see them; the module functions (`mkIf`, …) are added here.

  # Output
  { name, modules } → a derivation whose $out is kubernetes.json (nixgen/kubernetes/1).
*/
{ lib, pkgs }:
let
  inherit (builtins)
    attrNames
    concatMap
    isAttrs
    isList
    listToAttrs
    map
    mapAttrs
    ;

  evaluator = import ../machine/evaluator {
    baseHint =
      "the Debian base knows the part of Kubernetes that nixgen emits (docs/contracts.md §2); "
      + "for all of it, use base = \"nixpkgs\"";
  };
  inherit (evaluator) types;

  subset = builtins.fromJSON (builtins.readFile ./subset.json);
  resourcesOf = import ./types.nix { inherit subset types; };

  option = type: default: {
    _type = "option";
    inherit type default;
  };

  # kubenix leaves out what is null and names that begin with an underscore.
  said =
    value:
    if isList value then
      map said value
    else if isAttrs value then
      mapAttrs (_: said) (lib.filterAttrs (name: field: field != null && !lib.hasPrefix "_" name) value)
    else
      value;

  describe = import ../../../lib/kubernetes { inherit (pkgs) runCommand writeText; };
in
{ name, modules }:
let
  subject = "application \"${name}\"";

  options = {
    kubenix.project = option types.str "kubenix";
    kubernetes = {
      version = option (types.enum subset.versions) (lib.last subset.versions);
      namespace = option (types.nullOr types.str) null;
      resources = mapAttrs (
        _: row: option (resourcesOf row config.kubernetes.namespace) { }
      ) subset.resources;
    };
  };

  config = evaluator.evaluate {
    inherit subject modules options;
    arguments = {
      inherit pkgs name;
      lib = lib // evaluator.functions;
      kubenix.modules = {
        k8s = { };
      }
      // listToAttrs (
        map (other: {
          name = other;
          value = throw "${subject}: the Debian base knows kubenix.modules.k8s, and not kubenix.modules.${other}; use base = \"nixpkgs\".";
        }) subset.otherModules
      );
    };
  };

  objectsOf =
    plural:
    let
      row = subset.resources.${plural};
      resources = config.kubernetes.resources.${plural};
    in
    map (resource: { inherit (row) apiVersion kind; } // said resources.${resource}) (
      attrNames resources
    );
in
# Nothing reads it, but it may be wrong.
builtins.seq config.kubenix.project (describe {
  inherit name;
  inherit (config.kubernetes) namespace version;
  objects = concatMap objectsOf (attrNames subset.resources);
})
