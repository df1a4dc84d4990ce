/**
  Types of options: what values they take and how several definitions become one.

  A type is `{ name, merge }`, where `merge` takes

  - `context`: `{ fail, evaluateTree, mergeOption }`; `fail path definitions message` throws,
  - `path`: the option's path, a list of names,
  - `definitions`: `{ file, value }`, at least one, properties taken off, equally strong and in order,

  and returns the option's value.
*/
{ text }:
let
  inherit (builtins)
    all
    any
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    head
    isAttrs
    isBool
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    substring
    ;

  isPackage = value: isAttrs value && value ? outPath;
  isAbsolute = value: isString value && substring 0 1 value == "/";

  check =
    name: accepts: context: path: definitions:
    let
      wrong = filter (definition: !accepts definition.value) definitions;
    in
    if wrong == [ ] then
      definitions
    else
      context.fail path wrong "must be ${name}, and is ${text.showValue (head wrong).value}";

  /**
    One value: equal definitions agree, different ones are an error that names every file.
  */
  scalar = name: accepts: {
    inherit name;
    merge =
      context: path: definitions:
      let
        checked = check name accepts context path definitions;
        first = (head checked).value;
      in
      # Comparing a function, even with itself, is false.
      if length checked == 1 || all (definition: definition.value == first) checked then
        first
      else
        context.fail path definitions (
          "has different definitions of equal priority: "
          + concatStringsSep " and " (map (definition: text.showValue definition.value) definitions)
          + "; wrap the one to keep in lib.mkForce, or the other in lib.mkDefault"
        );
  };

  unitScalar =
    value: isString value || isInt value || isBool value || isPath value || isPackage value;
in
rec {
  inherit isPackage scalar;

  bool = scalar "true or false" isBool;
  int = scalar "an integer" isInt;
  positive = scalar "an integer above 0" (value: isInt value && value > 0);
  port = scalar "a port number (0 to 65535)" (value: isInt value && value >= 0 && value <= 65535);
  str = scalar "a string" isString;
  path = scalar "an absolute path or a package" (
    value: isPath value || isPackage value || isAbsolute value
  );
  package = scalar "a package" (value: isPackage value || isPath value || isAbsolute value);
  environmentValue = scalar "a string, an integer or a store path" (
    value: isString value || isInt value || isPath value || isPackage value
  );
  sysctlValue = scalar "true, false, a string or an integer" (
    value: isBool value || isString value || isInt value
  );
  testScript = scalar "a string, or a function of { nodes, ... }" (
    value: isString value || builtins.isFunction value
  );

  enum = values: scalar "one of ${concatStringsSep ", " values}" (value: elem value values);

  nullOr = type: {
    name = "null or ${type.name}";
    merge =
      context: optionPath: definitions:
      if all (definition: definition.value == null) definitions then
        null
      else
        type.merge context optionPath definitions;
  };

  /**
    Text of many lines; several definitions are joined by a newline.
  */
  lines = {
    name = "text";
    merge =
      context: optionPath: definitions:
      concatStringsSep "\n" (
        map (definition: definition.value) (check "text" isString context optionPath definitions)
      );
  };

  /**
    A list; several definitions are concatenated.
  */
  listOf = type: {
    name = "a list, each item ${type.name}";
    merge =
      context: optionPath: definitions:
      let
        checked = check "a list" isList context optionPath definitions;
        items = concatMap (
          definition: map (value: definition // { inherit value; }) definition.value
        ) checked;
      in
      concatMap (
        item:
        let
          merged = context.mergeOption optionPath type [ item ];
        in
        if merged == null then [ ] else [ merged.value ]
      ) items;
  };

  /**
    A set of names that the user chooses; definitions of one name are merged by `type`.
  */
  attrsOf = type: attrsOfNamed type.name (_: type);

  /**
    The same, where the type depends on the name: `typeOf` takes it; `description` is what a value is called in messages.
  */
  attrsOfNamed = description: typeOf: {
    name = "a set, each value ${description}";
    merge =
      context: optionPath: definitions:
      let
        checked = check "a set" (value: isAttrs value && !isPackage value) context optionPath definitions;
        names = attrNames (foldl' (all: definition: all // definition.value) { } checked);
        merged = map (name: {
          inherit name;
          result = context.mergeOption (optionPath ++ [ name ]) (typeOf name) (context.select name checked);
        }) names;
      in
      listToAttrs (
        map (entry: {
          inherit (entry) name;
          inherit (entry.result) value;
        }) (filter (entry: entry.result != null) merged)
      );
  };

  /**
    A set with the options of `tree`.
  */
  submodule = tree: {
    name = "a set of options";
    inherit tree;
    merge =
      context: optionPath: definitions:
      context.evaluateTree optionPath tree definitions;
  };

  /**
    The value of a key in a unit file. When a definition is a list, the key is repeated, and the
    lists of all definitions are concatenated.
  */
  unitValue = {
    name = "a string, an integer, a boolean, a store path or a list of those";
    merge =
      context: optionPath: definitions:
      let
        single = scalar unitValue.name unitScalar;
        repeated = listOf single;
        asList =
          definition:
          definition
          // {
            value = if isList definition.value then definition.value else [ definition.value ];
          };
      in
      if any (definition: isList definition.value) definitions then
        repeated.merge context optionPath (map asList definitions)
      else
        single.merge context optionPath definitions;
  };

  /**
    A type whose texts are put into lines of a file. `fault` takes a text, and returns what is wrong with it, the end of a
    sentence, or null (see ../../../../lib/lines.nix).
  */
  within =
    fault: type:
    type
    // {
      merge =
        context: optionPath: definitions:
        let
          value = type.merge context optionPath definitions;
          faults = filter (message: message != null) (
            map fault (filter isString (if isList value then value else [ value ]))
          );
        in
        if faults == [ ] then value else context.fail optionPath definitions (head faults);
    };

  /**
    A set of names that the user chooses and that are put into lines of a file.
  */
  named =
    fault: type:
    attrsOfNamed type.name (
      name:
      let
        message = fault name;
      in
      if message == null then
        type
      else
        type
        // {
          merge =
            context: optionPath: definitions:
            context.fail optionPath definitions "has a name that ${message}";
        }
    );

  /**
    A module that is kept for later: the value is a list of modules, each with its file.
  */
  deferredModule = {
    name = "a module";
    merge =
      _: _: definitions:
      map (definition: {
        _file = definition.file;
        imports = [ definition.value ];
      }) definitions;
  };
}
