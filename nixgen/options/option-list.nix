/**
  Every option of a NixOS tree. Nothing is built, and no value of an option is looked at but why options were removed.

  # Inputs, as JSON has them: paths are absolute, and strings.
  library: the folder of this nixgen's Nix library.
  inputs: flake-inputs.json.
  overrides: name → the path of a tree that stands for what is pinned there.
  modules: paths of further modules, which may declare options.
  system: such as "x86_64-linux".
  reasons: whether to ask why options were removed, which evaluates the assertions of all modules.

  # Output
  {
    release = "24.11";
    options = [ { path; type; readOnly; removed; alias; } ];  # the last three only where they apply
    freeform = [ { path; type; } ];                           # submodules that take more than they declare
    reasons = [ "The option definition `services.foo' in  no longer has any effect; …" ];
  }
*/
{
  library,
  inputs,
  overrides,
  modules,
  system,
  reasons,
}:
let
  path = text: /. + text;

  trees = import (path library + "/lib/inputs.nix") {
    file = path inputs;
    overrides = builtins.mapAttrs (_: path) overrides;
  };
  tree = trees.nixpkgs or (throw "flake-inputs.json pins no nixpkgs, which has the options of NixOS");

  lib = import (tree + "/lib");

  evaluated = import (tree + "/nixos/lib/eval-config.nix") {
    inherit system;
    modules = [
      {
        _module.args = {
          name = "machine";
          nodes = { };
        };
        _module.check = false;
        # what every machine says of itself, so that assertions can be read
        boot.loader.grub.enable = lib.mkDefault false;
        fileSystems."/" = {
          device = lib.mkDefault "/dev/disk/by-label/nixos";
          fsType = lib.mkDefault "ext4";
        };
        system.stateVersion = lib.mkDefault lib.trivial.release;
      }
      (path library + "/nixos/cluster.nix")
    ]
    ++ map path modules;
  };

  # Documentation follows the same rule: what is below a hidden option may have no end.
  visible = option: option.visible or true;
  shows =
    option:
    !builtins.elem (visible option) [
      false
      "shallow"
    ];

  reading = option: builtins.addErrorContext "while reading the option ${lib.showOption option.loc}";
  below = option: reading option (option.type.getSubOptions option.loc);

  # A module's own settings are no options of what it configures.
  own = option: !builtins.elem "_module" option.loc;

  describe =
    option:
    let
      hidden = visible option == false;
      # lib.modules.mkRemovedOptionModule gives an option without a type, which throws when its value is used
      removed =
        hidden
        && option.type.name == "unspecified"
        && option ? apply
        && !(option ? description || option ? default);
    in
    {
      path = option.loc;
      type = reading option (option.type.description or "unspecified value");
    }
    // lib.optionalAttrs (option.readOnly or false) { readOnly = true; }
    // lib.optionalAttrs removed { removed = true; }
    // lib.optionalAttrs (hidden && option ? description) { alias = inWords option.description; };

  # A string, or for some releases a set with the text.
  inWords = description: description.text or description;

  walk =
    options:
    lib.concatMap (option: [ option ] ++ lib.optionals (shows option) (walk (below option))) (
      lib.filter own (lib.collect lib.isOption options)
    );
  all = walk evaluated.options;

  # Submodules have an option _module.args, which tells where they are; those with a freeform type list its options, too.
  freeform =
    option:
    let
      submodule = below option;
      place = lib.init (lib.init submodule._module.args.loc);
      type = submodule._module.freeformType.value or null;
    in
    lib.optional (submodule ? _freeformOptions && submodule ? _module) {
      path = place;
      type = type.description or "unspecified value";
    };

  # Where a text was written tells which assertions are those of removed options; others may not be readable at all.
  fromRemoval =
    assertion:
    let
      position = builtins.unsafeGetAttrPos "message" assertion;
    in
    position != null && lib.hasSuffix "/lib/modules.nix" position.file;
  assertions = lib.concatLists evaluated.options.assertions.definitions;
in
{
  release = lib.trivial.release;
  options = map describe all;
  freeform = lib.concatMap freeform (lib.filter shows all);
  reasons = if reasons then map (found: found.message) (lib.filter fromRemoval assertions) else [ ];
}
