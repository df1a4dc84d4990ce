/**
  Words for error messages: showing option paths and values, and the closest of some names.
*/
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
    isBool
    isFloat
    isFunction
    isInt
    isList
    isPath
    isString
    length
    match
    stringLength
    substring
    toJSON
    ;

  minimum = a: b: if a < b then a else b;

  /**
    The Levenshtein distance of two strings: how many characters to add, drop or change.
  */
  distance =
    a: b:
    let
      columns = stringLength b;
      character = text: index: substring index 1 text;
      nextRow =
        row: i:
        foldl' (
          done: j:
          let
            changed = elemAt row j + (if character a i == character b j then 0 else 1);
            moved = 1 + minimum (elemAt row (j + 1)) (elemAt done j);
          in
          done ++ [ (minimum changed moved) ]
        ) [ (i + 1) ] (genList (j: j) columns);
      last = foldl' nextRow (genList (j: j) (columns + 1)) (genList (i: i) (stringLength a));
    in
    elemAt last columns;
in
rec {
  showName = name: if match "[A-Za-z_][A-Za-z0-9_'-]*" name != null then name else toJSON name;

  showPath = path: concatStringsSep "." (map showName path);

  /**
    A value in a few words; never forces more than its outermost shape.
  */
  showValue =
    value:
    if value == null then
      "null"
    else if isString value then
      if stringLength value > 60 then
        "\"${substring 0 57 (builtins.unsafeDiscardStringContext value)}…\""
      else
        "\"${builtins.unsafeDiscardStringContext value}\""
    else if isBool value then
      if value then "true" else "false"
    else if isInt value || isFloat value || isPath value then
      toString value
    else if isList value then
      "a list of ${toString (length value)}"
    else if isFunction value then
      "a function"
    else if isAttrs value then
      if value.type or null == "derivation" then "the package ${value.name}" else "a set"
    else
      "a value";

  /**
    The name most like `name`, or null when none is near (more than a third of it differs).
  */
  closest =
    name: candidates:
    let
      scored = map (candidate: {
        inherit candidate;
        distance = distance name candidate;
      }) candidates;
      near = filter (entry: entry.distance * 3 <= stringLength name + 2) scored;
      best = foldl' (a: b: if b.distance < a.distance then b else a) (head near) near;
    in
    if near == [ ] then null else best.candidate;

  /**
    The end of a sentence for a misspelt `name` below `prefix`, given the set of what is known there.
  */
  suggest =
    prefix: name: known:
    let
      names = attrNames known;
      candidate = closest name names;
    in
    if candidate != null then
      "did you mean `${showPath (prefix ++ [ candidate ])}`"
    else
      "known here: ${concatStringsSep ", " (map showName names)}";
}
