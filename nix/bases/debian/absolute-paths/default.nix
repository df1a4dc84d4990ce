/**
  Which packages the links of a root may lead to: see links.sh.

  A package's runtime closure lacks what only its binaries' absolute paths need, so what it declares is searched as well.

  # Inputs
  writeText: as in nixpkgs.  busybox: for /bin/sh.  packages: what the project asks for, to find packages that only a text names.

  # Output
  variables: name, packages of a root, texts that name further ones → variables for a build that calls link_wanted.
*/
{
  writeText,
  busybox,
  packages,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    getContext
    unsafeDiscardStringContext
    ;
in
{
  variables =
    name: contents: texts:
    let
      context = attrNames (getContext (concatStringsSep "" texts));
      named = filter (package: elem (unsafeDiscardStringContext package.drvPath) context) packages;
      declared = concatMap (package: package.declared or [ ]) (contents ++ named);
      linkRoots = writeText "${name}-link-roots" (concatStringsSep "\n" (map toString contents ++ texts));
    in
    {
      absolutePaths = ./.;
      inherit linkRoots;
      exportReferencesGraph = [
        "graph"
        (writeText "${name}-link-sources" (
          concatStringsSep "\n" (
            map toString (
              [
                linkRoots
                busybox
              ]
              ++ declared
            )
          )
        ))
      ];
    };
}
