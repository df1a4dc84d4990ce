/**
  Evaluate modules against a fixed tree of options.

  This is the part of NixOS's module system that generated modules need: imports, properties,
  merging by type. There is no `mkOption`: the options are `options.nix`, and a definition of
  anything else is an error that names the option, the machine and the file and line that defines it.

  Inputs:
  - `subject`: what is being evaluated, for messages, such as `machine "web"`
  - `options`: a tree of sets with options (`{ _type = "option"; type; default; }`) at its leaves
  - `modules`: paths, functions or sets
  - `arguments`: what module functions are called with, besides `config`

  Result: the configuration, a set of the shape of `options`; every level is checked when it is read.
*/
{
  properties,
  text,
  baseHint,
  provided,
}:
{
  subject,
  options,
  modules,
  arguments,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    functionArgs
    head
    isAttrs
    isFunction
    isPath
    isString
    mapAttrs
    ;

  # A module's own attributes, as against the options that it defines without a `config`.
  structural = [
    "_file"
    "key"
    "imports"
  ];

  isOption = node: node._type or null == "option";

  fail =
    path: definitions: message:
    let
      files = map (definition: definition.file) definitions;
    in
    throw ''
      ${subject}: the option `${text.showPath path}` ${message}.
        defined in ${concatStringsSep "\n        and in " files}'';

  broken = file: message: throw "${subject}: ${message}.\n  in ${file}";

  # The line a name is defined on, which is nearer than the file of its module.
  locate =
    name: value: file:
    let
      position = builtins.unsafeGetAttrPos name value;
    in
    # Text given on the command line has a position too, and its "file" is the whole text.
    if position == null || builtins.substring 0 1 position.file != "/" then
      file
    else
      "${position.file}:${toString position.line}";

  # The whole name of what is unknown: of `services.nginx.enable = true`, not just `services`.
  wholeName =
    path: value:
    let
      names = attrNames value;
    in
    if isAttrs value && !(value ? _type) && !(value ? outPath) && names != [ ] then
      wholeName (path ++ [ (head names) ]) value.${head names}
    else
      path;

  select =
    name: definitions:
    concatMap (
      definition:
      if definition.value ? ${name} then
        [
          {
            file = locate name definition.value definition.file;
            value = definition.value.${name};
          }
        ]
      else
        [ ]
    ) definitions;

  # Call a module function. Naming an argument that does not exist is an error with the file's name,
  # not Nix's "called without required argument".
  call =
    file: function:
    let
      wanted = functionArgs function;
      required = filter (name: !wanted.${name}) (attrNames wanted);
      given = arguments // {
        inherit config;
      };
      missing = filter (name: !(given ? ${name})) required;
    in
    if missing == [ ] then
      function given
    else
      broken file (
        "the module asks for the argument `${head missing}`, which does not exist; "
        + text.suggest [ ] (head missing) given
      );

  /**
    Read a module and its imports, depth first, imports before what imports them.

    Result: a list of `{ file, value }`, the value being a set of definitions or a property of one.
  */
  collect =
    file: module:
    if isPath module || isString module then
      if builtins.elem (toString module) provided then [ ] else collect (toString module) (import module)
    else if isFunction module then
      collect file (call file module)
    else if !isAttrs module then
      broken file "a module must be a path, a function or a set, and is ${text.showValue module}"
    else
      let
        ownFile = toString (module._file or file);
        imported = concatMap (collect ownFile) (module.imports or [ ]);
        isStructured = module ? config;
        stray = attrNames (removeAttrs module (structural ++ [ "config" ]));
      in
      if module ? options then
        broken (locate "options" module ownFile) ("a module declares options of its own, and ${baseHint}")
      else if isStructured && stray != [ ] then
        broken (locate (head stray) module ownFile) (
          "a module that has `config` must define everything inside it, and "
          + "`${text.showName (head stray)}` is beside it"
        )
      else
        imported
        ++ [
          {
            file = ownFile;
            value = if isStructured then module.config else removeAttrs module structural;
          }
        ];

  /**
    Merge the definitions of one option, or null when there is none (or none whose condition holds).
  */
  mergeOption =
    path: type: definitions:
    let
      remaining = properties.strongest (concatMap properties.discharge definitions);
    in
    if remaining == [ ] then null else { value = type.merge context path remaining; };

  evaluateOption =
    path: option: definitions:
    let
      merged = mergeOption path option.type definitions;
    in
    if merged == null then option.default else merged.value;

  evaluateTree =
    path: tree: definitions:
    let
      expand =
        definition: map (value: definition // { inherit value; }) (properties.pushDown definition.value);
      expanded = concatMap expand definitions;
      wrong = filter (definition: !isAttrs definition.value) expanded;
      unknown = concatMap (
        definition:
        map (name: {
          inherit name;
          value = definition.value.${name};
          file = locate name definition.value definition.file;
        }) (attrNames (removeAttrs definition.value (attrNames tree)))
      ) expanded;
      first = head unknown;
      same = filter (each: each.name == first.name) unknown;
    in
    if wrong != [ ] then
      fail path wrong "must be a set, and is ${text.showValue (head wrong).value}"
    else if unknown != [ ] then
      fail (wholeName (path ++ [ first.name ]) first.value) same (
        "is not known; ${text.suggest path first.name tree}.\n  ${baseHint}"
      )
    else
      mapAttrs (
        name: node:
        (if isOption node then evaluateOption else evaluateTree) (path ++ [ name ]) node (
          select name expanded
        )
      ) tree;

  context = {
    inherit
      fail
      select
      mergeOption
      evaluateTree
      ;
  };

  config = evaluateTree [ ] options (concatMap (collect "a module without a file") modules);
in
config
