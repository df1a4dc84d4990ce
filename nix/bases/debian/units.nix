/**
  The packages of a lock as store paths.

  A unit is one package, or several that a lock's `units` joins because Debian lets them depend on each other. Every unit
  is one derivation, so references between store paths have no cycle.

  # Output
  package: Debian name → the unit's derivation.  closureOf: names → every name they need, themselves included, sorted.
  unitsOf: names → the units of all that they need, their own included, nearest first.
*/
{
  architecture,
  locked,
  fetch,
  runBusybox,
  busybox,
  patchelf,
  leaveOut,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    genericClosure
    listToAttrs
    mapAttrs
    ;

  unitOf = listToAttrs (
    concatMap (
      unit:
      map (member: {
        name = member;
        value = unit;
      }) locked.units.${unit}
    ) (attrNames locked.units)
  );
  nameOf = package: unitOf.${package} or package;
  membersOf = unit: locked.units.${unit} or [ unit ];
  dependsOf =
    unit:
    filter (other: other != unit) (
      map nameOf (concatMap (m: locked.packages.${m}.depends) (membersOf unit))
    );

  # Nearest first: what a package itself asks for wins over what its dependencies bring.
  closure =
    start:
    map ({ key }: key) (genericClosure {
      startSet = map (key: { inherit key; }) start;
      operator = { key }: map (dependency: { key = dependency; }) (dependsOf key);
    });

  wrapper =
    program:
    {
      arguments ? [ ],
      environment ? { },
      open ? { },
      calls ? [ ],
    }:
    let
      # busybox knows file numbers of one digit
      many = builtins.any (number: builtins.stringLength number > 1) (attrNames open);
      shell = if many then "${package "bash"}/bin/bash" else "${busybox}/bin/sh";
      # @out@ is the unit itself, @NAME@ another package
      substitute =
        text:
        concatStringsSep "" (
          map (
            part:
            if builtins.isString part then
              part
            else if part == [ "out" ] then
              "$out"
            else
              "${package (builtins.head part)}"
          ) (builtins.split "@([a-z0-9.+-]+)@" text)
        );
      export =
        name:
        let
          variable = environment.${name};
          line = value: "export ${name}=\"\\\${${name}-${substitute value}}\"";
        in
        if builtins.isString variable then
          line variable
        else
          "[ -e ${variable.unless} ] || ${line variable.value}";
      lines =
        map export (attrNames environment)
        ++ map (number: "exec ${number}<${substitute open.${number}}") (attrNames open)
        ++ (if calls == [ ] then [ ] else [ "export PATH=\"\\\${PATH:+\\\$PATH:}$called\"" ]);
    in
    ''
      called=$(folders_of_programs ${concatStringsSep " " calls})
      real=$(readlink "bin/${program}")
      rm "bin/${program}"
      cat > "bin/${program}" <<END
      #!${shell}
      ${concatStringsSep "\n" lines}
      exec "$out/''${real#../}" ${concatStringsSep "" (map (word: "${substitute word} ") arguments)}"\$@"
      END
      chmod +x "bin/${program}"
    '';

  # Variables of libraries that the unit's programs may load (data/library-variables.json), as library-variables.sh reads them.
  libraryVariables = builtins.fromJSON (builtins.readFile ./data/library-variables.json);
  libraryWrappers =
    unit: dependencies:
    let
      available =
        name: locked.packages ? ${name} && builtins.elem (nameOf name) ([ unit ] ++ dependencies);
      tree = name: if nameOf name == unit then "$out" else "${package name}";
      # A place of a package that the unit does not depend on is left out.
      place =
        text:
        let
          parts = builtins.match "@([a-z0-9.+-]+)@(.*)" text;
          name = builtins.head parts;
        in
        if available name then [ (tree name + builtins.elemAt parts 1) ] else [ ];
      places = value: concatMap place (filter builtins.isString (builtins.split ":" value));
      line =
        library: variable:
        let
          inherit (libraryVariables.${library}.${variable}) unless value;
        in
        "${tree library} ${variable} ${unless} ${concatStringsSep ":" (places value)}";
      libraries = filter available (attrNames libraryVariables);
      lines = concatMap (library: map (line library) (attrNames libraryVariables.${library})) libraries;
    in
    if lines == [ ] then
      [ ]
    else
      [
        ''
          cat > "$NIX_BUILD_TOP/variables" <<END
          ${concatStringsSep "\n" lines}
          END
          . ${./library-variables.sh}
        ''
      ];

  # Debian's packages need not declare that they need bash: it is Essential. Bash and what it needs have no scripts of bash.
  belowBash = if locked.packages ? bash then closure [ (nameOf "bash") ] else [ ];
  bashFor =
    unit:
    if belowBash == [ ] || builtins.elem unit belowBash then "" else "${package "bash"}/usr/bin/bash";

  build =
    unit:
    let
      members = membersOf unit;
      main = locked.packages.${unit} or locked.packages.${builtins.head members};
      needs = import ./programs.nix members;
      dependencies = closure (dependsOf unit);
      replace =
        if needs.replace == [ ] then
          {
            from = "";
            to = "";
            files = "";
          }
        else
          builtins.head needs.replace;
    in
    runBusybox (sanitise "${unit}-${withoutEpoch main.version}")
      {
        inherit (architecture) loader triplet;
        inherit busybox leaveOut patchelf;
        alternatives = ./alternatives.awk;
        modules = ./modules.sh;
        absolutePaths = ./absolute-paths;
        bash = bashFor unit;
        debs = map (member: fetch member locked.packages.${member}) members;
        directDeps = map (dependency: units.${dependency}) (dependsOf unit);
        deps = map (dependency: units.${dependency}) dependencies;
        inherit (needs) binDirs dlopen finish;
        replaceFiles = replace.files;
        replaceFrom = replace.from;
        replaceTo = replace.to;
        wrap = concatStringsSep "\n" (
          builtins.attrValues (mapAttrs wrapper needs.programs) ++ libraryWrappers unit dependencies
        );
      }
      ''
        . ${./unpack.sh}
        . ${./patch.sh}
      '';

  withoutEpoch =
    version:
    let
      parts = builtins.match "[0-9]+:(.*)" version;
    in
    if parts == null then version else builtins.head parts;

  # Store names: letters, digits and +-._?=
  sanitise =
    text: concatStringsSep "-" (filter builtins.isString (builtins.split "[^A-Za-z0-9+._=-]+" text));

  units = listToAttrs (
    map (unit: {
      name = unit;
      value = build unit // {
        pname = unit;
        nearby = map (name: units.${name}) ([ unit ] ++ dependsOf unit);
        declared = map (name: units.${name}) (closure [ unit ]);
      };
    }) (map nameOf (attrNames locked.packages))
  );

  package =
    name:
    units.${nameOf name}
    or (throw "the Debian lock has no package ${name}; name it in infra.py (Package(debian=(\"${name}\",))), then run `nixgen inputs update debian`");
in
{
  inherit package;
  closureOf =
    names:
    map ({ key }: key) (genericClosure {
      startSet = map (key: { inherit key; }) names;
      operator = { key }: map (dependency: { key = dependency; }) locked.packages.${key}.depends;
    });
  unitsOf = names: map (unit: units.${unit}) (closure (map nameOf names));
}
