/**
  subset.json's types as types of the evaluator (../machine/evaluator/types.nix), which merge as kubenix's do.

  Inputs: `types` of the evaluator; `subset`.

  Result: a row of `subset.resources` → the default namespace → the type of such resources by name. A field that nobody
  defines is null.
*/
{ types, subset }:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elemAt
    filter
    foldl'
    genList
    head
    isAttrs
    isInt
    isList
    isString
    length
    listToAttrs
    mapAttrs
    match
    sort
    ;

  option = type: default: {
    _type = "option";
    inherit type default;
  };

  scalars = {
    boolean = types.bool;
    integer = types.int;
    "integer or string" = types.scalar "an integer or a string" (value: isInt value || isString value);
    string = types.str;
  };

  withoutMark = notation: head (match "(.*[^!])!?" notation);

  typeOf =
    notation:
    let
      list = match "\\[(.*)]" notation;
      set = match "\\{(.*)}" notation;
      keyed = match "(.*) by ([A-Za-z]+)( else (.*))?" notation;
    in
    if list != null then
      types.listOf (typeOf (head list))
    else if set != null then
      types.attrsOf (typeOf (head set))
    else if keyed != null then
      keyedBy (elemAt keyed 1) (elemAt keyed 3) (elemAt keyed 0)
    else
      scalars.${notation} or (structure notation { });

  # `special`: option by field, in place of what subset.json says of it.
  structure =
    type: special:
    let
      fields = subset.types.${type};
      tree =
        mapAttrs (_: notation: option (types.nullOr (typeOf (withoutMark notation))) null) fields
        // special;
      required = filter (field: match ".*!" fields.${field} != null) (attrNames fields);
    in
    {
      name = "a set of the fields of ${type}";
      merge =
        context: path: definitions:
        let
          value = context.evaluateTree path tree definitions;
          missing = filter (field: value.${field} == null) required;
        in
        if missing == [ ] then
          value
        else
          context.fail path definitions "needs `${concatStringsSep "`, `" missing}`";
    };

  # What an item of a list without its key goes by; kubenix's own word.
  anonymous = "__kubenix_list_merge_key_";

  /**
    A list whose items are told apart by a field: as a list, which keeps its order, or as a set by that field; both may be
    laid over each other. The value is a list; items of which none came from a list are ordered by that field.
  */
  keyedBy =
    key: others: type:
    let
      contentOf = value: if isAttrs value then value.content else value;
      otherKeys = if others == null then [ ] else filter isString (builtins.split " " others);

      nameOf =
        context: path: definition: item:
        let
          missing = filter (other: !(item ? ${other})) otherKeys;
        in
        if item ? ${key} then
          toString (contentOf item.${key})
        else if otherKeys == [ ] || missing != [ ] then
          context.fail path [ definition ] "has an item without `${key}`"
        else
          anonymous + concatStringsSep "" (map (other: toString (contentOf item.${other})) otherKeys);

      # { file, value = set by key; places = name → index in a list }
      asSet =
        context: path: definition:
        let
          items = definition.value;
          entries = genList (index: {
            name = nameOf context path definition (elemAt items index);
            value = elemAt items index;
            inherit index;
          }) (length items);
        in
        if isList items then
          definition
          // {
            value = listToAttrs entries;
            places = listToAttrs (map (entry: entry // { value = entry.index; }) entries);
          }
        else
          definition // { places = { }; };

      itemType =
        name:
        structure type (
          if match "${anonymous}.*" name == null then { ${key} = option types.str name; } else { }
        );
      byKey = types.attrsOfNamed "a set of the fields of ${type}" itemType;
    in
    {
      name = "a list, or a set by `${key}`, each item a set of the fields of ${type}";
      merge =
        context: path: definitions:
        let
          sets = map (asSet context path) definitions;
          places = foldl' (found: set: found // set.places) { } sets;
          merged = byKey.merge context path sets;
          isBefore = a: b: places ? ${a} && places ? ${b} && places.${a} < places.${b};
        in
        map (name: merged.${name}) (sort isBefore (attrNames merged));
    };

  resources =
    { kind, ... }:
    namespace:
    types.attrsOfNamed "a set of the fields of ${kind}" (
      name:
      structure kind {
        metadata = option (structure "ObjectMeta" {
          name = option types.str name;
          namespace = option (types.nullOr types.str) namespace;
        }) { inherit name namespace; };
      }
    );
in
resources
