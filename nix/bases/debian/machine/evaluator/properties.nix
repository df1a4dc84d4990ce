/**
  Properties: what a module wraps around a value to say when, how strongly and where it counts.

  The functions have NixOS's names and meaning, so that a generated module reads the same on both
  bases. A property is a set with a `_type`; `evaluate.nix` takes them apart again.
*/
let
  priorities = {
    option = 1500;
    default = 1000;
    plain = 100;
    force = 50;
  };

  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };

  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };

  typeOf = value: if builtins.isAttrs value then value._type or null else null;

  /**
    Apply `f` to the content below any properties, and keep the properties.

    Used above options: `mkIf c { a = 1; }` becomes `{ a = mkIf c 1; }`, so that the names of what is
    defined never depend on `c`, and `c` may read the configuration.

    Result: a list of sets, one for each part of an `mkMerge`.
  */
  pushDown =
    value:
    let
      type = typeOf value;
      wrap = part: builtins.mapAttrs (_: content: value // { inherit content; }) part;
    in
    if type == "merge" then
      builtins.concatMap pushDown value.contents
    else if type == "if" || type == "override" || type == "order" then
      map (part: if builtins.isAttrs part then wrap part else part) (pushDown value.content)
    else
      [ value ];

  /**
    Take the properties off a definition of an option.

    Input: `{ file, value }`. Result: a list of `{ file, value, priority, order }`; empty when a
    condition is false.
  */
  discharge =
    definition:
    let
      inherit (definition) value;
      type = typeOf value;
      inner = content: discharge (definition // { value = content; });
    in
    if type == "merge" then
      builtins.concatMap inner value.contents
    else if type == "if" then
      if value.condition then inner value.content else [ ]
    else if type == "override" then
      map (inside: inside // { inherit (value) priority; }) (inner value.content)
    else if type == "order" then
      map (inside: inside // { order = value.priority; }) (inner value.content)
    else
      [
        {
          inherit (definition) file;
          inherit value;
          priority = priorities.plain;
          order = 1000;
        }
      ];

  /**
    Keep only the strongest of discharged definitions, in their order.
  */
  strongest =
    definitions:
    let
      best = builtins.foldl' (
        least: definition: if definition.priority < least then definition.priority else least
      ) priorities.option definitions;
    in
    builtins.sort (a: b: a.order < b.order) (
      builtins.filter (definition: definition.priority == best) definitions
    );
in
{
  inherit
    pushDown
    discharge
    strongest
    typeOf
    ;

  /**
    What modules see as part of `lib`.
  */
  functions = {
    inherit mkOverride mkOrder;
    mkForce = mkOverride priorities.force;
    mkDefault = mkOverride priorities.default;
    mkBefore = mkOrder 500;
    mkAfter = mkOrder 1500;
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
  };
}
