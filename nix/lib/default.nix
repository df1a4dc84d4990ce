/**
  Plain functions on lists, sets and text, by the names and meanings of nixpkgs' lib; no module machinery.
*/
let
  inherit (builtins) attrNames concatStringsSep;
in
rec {
  inherit (builtins)
    all
    any
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    genList
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isString
    length
    listToAttrs
    mapAttrs
    replaceStrings
    tail
    toJSON
    ;

  /**
    x, when the condition holds, as a list of one or none.
  */
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  optionalAttrs = condition: set: if condition then set else { };
  optionalString = condition: text: if condition then text else "";

  nameValuePair = name: value: { inherit name value; };
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  filterAttrs =
    keep: set:
    builtins.removeAttrs set (builtins.filter (name: !keep name set.${name}) (attrNames set));
  genAttrs = names: f: builtins.listToAttrs (map (name: nameValuePair name (f name)) names);
  mapAttrs' = f: set: builtins.listToAttrs (mapAttrsToList f set);

  last = list: builtins.elemAt list (builtins.length list - 1);

  /**
    Elements in order, without repetitions.
  */
  unique = builtins.foldl' (seen: x: if builtins.elem x seen then seen else seen ++ [ x ]) [ ];

  concatMapStringsSep =
    separator: f: list:
    concatStringsSep separator (map f list);
  concatStrings = concatStringsSep "";
  concatLines = list: concatStrings (map (line: line + "\n") list);
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      size = builtins.stringLength text;
      part = builtins.stringLength suffix;
    in
    size >= part && builtins.substring (size - part) part text == suffix;
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then
      builtins.substring (builtins.stringLength prefix) (builtins.stringLength text) text
    else
      text;

  /**
    One word of a POSIX shell.
  */
  escapeShellArg = arg: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString arg)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;

  /**
    The program that a package is for.
  */
  getExe = package: "${package}/bin/${package.meta.mainProgram or package.pname or package.name}";
  getExe' = package: name: "${package}/bin/${name}";
  getBin = package: package;
}
