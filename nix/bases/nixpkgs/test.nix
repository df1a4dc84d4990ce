/**
  { name, modules } → the NixOS test, a derivation that boots its nodes when it is built.

  The modules are those of testers.runNixOSTest. Trees from before it (22.11) have nixosTest, which takes no modules:
  there the few options that generated tests use are evaluated here.
*/
{ pkgs }:
{ name, modules }:
let
  inherit (pkgs) lib;

  defaults = {
    _file = "nixgen's defaults for tests";
    name = lib.mkDefault name;
    # The script has been checked where it was written; black's opinion of it must not fail a test.
    skipLint = lib.mkDefault true;
    skipTypeCheck = lib.mkDefault true;
  };

  anything = lib.mkOptionType { name = "anything"; };
  module = lib.mkOptionType {
    name = "NixOS module";
    merge = _location: definitions: {
      imports = map (
        { file, value }:
        {
          _file = file;
          imports = [ value ];
        }
      ) definitions;
    };
  };

  option = type: lib.mkOption { inherit type; };
  options = {
    options = {
      name = option lib.types.str;
      nodes = option (lib.types.attrsOf module);
      skipLint = option lib.types.bool;
      skipTypeCheck = option lib.types.bool;
      testScript = option anything;
    };
    config._module.args = {
      inherit pkgs;
    };
  };

  evaluated =
    (lib.evalModules {
      modules = [
        options
        defaults
      ]
      ++ modules;
    }).config;

  # Newer trees give each node its name as a module argument, and let it have dashes, which are underscores in the script.
  variable = lib.replaceStrings [ "-" ] [ "_" ];
  node =
    name: configuration:
    lib.nameValuePair (variable name) {
      imports = [ configuration ];
      _module.args = { inherit name; };
    };
  script =
    if lib.isFunction evaluated.testScript then
      { nodes, ... }@arguments:
      evaluated.testScript (
        arguments // { nodes = lib.mapAttrs (name: _: nodes.${variable name}) evaluated.nodes; }
      )
    else
      evaluated.testScript;
in
if pkgs ? testers && pkgs.testers ? runNixOSTest then
  pkgs.testers.runNixOSTest { imports = [ defaults ] ++ modules; }
else
  pkgs.nixosTest {
    inherit (evaluated) name skipLint;
    testScript = script;
    nodes = lib.mapAttrs' node evaluated.nodes;
  }
