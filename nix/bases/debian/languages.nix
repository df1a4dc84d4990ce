/**
  Interpreters with libraries, by the functions of nixpkgs: `pkgs.python3.withPackages (ps: [ ps.flask ])`.

  # Inputs
  roots: of the lock, for libraries: "python3Packages.flask" → names of Debian packages.
  attribute: name: Debian packages → derivation.  units: see units.nix.

  # Output
  functions: name and Debian packages of an attribute → what the attribute has beside the derivation.
  libraries: { python3Packages = { flask = derivation; }; … }, as far as the lock has them.
*/
{
  architecture,
  attribute,
  busybox,
  lib,
  roots,
  runBusybox,
  units,
}:
let
  languages = builtins.fromJSON (builtins.readFile ./data/languages.json);

  # The names of Perl modules have no colons in nixpkgs.
  split = root: builtins.match "([^.]+)[.](.+)" (builtins.replaceStrings [ "::" ] [ "" ] root);
  setOf = root: builtins.head (split root);
  nameOf = root: lib.last (split root);

  librariesOf =
    set:
    lib.mapAttrs' (
      root: packages:
      lib.nameValuePair (nameOf root) (attribute (nameOf root) packages // { debian = packages; })
    ) (lib.filterAttrs (root: _: setOf root == set) roots);

  withLibraries =
    name: packages: libraries:
    let
      inherit (languages.${name}) language;
      debian = builtins.concatMap (library: library.debian) libraries;
      drv =
        runBusybox "${name}-with-packages"
          {
            inherit busybox language;
            inherit (architecture) triplet;
            modules = ./modules.sh;
            deps = units.unitsOf (packages ++ debian);
            interpreter = map units.package packages;
            libraries = lib.unique (map units.package debian);
          }
          ''
            . ${./interpreter.sh}
          '';
    in
    drv
    // {
      pname = name;
      meta = (attribute name packages).meta;
      nearby = [ drv ] ++ builtins.concatMap (package: (units.package package).nearby) debian;
      declared = builtins.concatMap (package: (units.package package).declared) (packages ++ debian);
    };
in
{
  libraries = builtins.listToAttrs (
    map (language: lib.nameValuePair language.libraries (librariesOf language.libraries)) (
      builtins.attrValues languages
    )
  );

  functions =
    name: packages:
    let
      language = languages.${name};
      own = librariesOf language.libraries;
    in
    if !(languages ? ${name}) then
      { }
    else if language.function == "withExtensions" then
      {
        withExtensions =
          choose:
          withLibraries name packages (choose {
            all = own;
            enabled = [ ];
          });
      }
    else
      { withPackages = choose: withLibraries name packages (choose own); };
}
