/**
  Evaluates targets one after the other, and tells of each when it begins and when it is done.

  # Inputs
  file, arguments: see ./tree.nix.
  attrs: the targets, a list as JSON.
  token: a word that nobody else knows, so that no trace of the user's can be taken for one of these.

  # Output
  null. What there is to know is traced, a line each: `TOKEN tree`, when the tree itself is sound; `TOKEN begin ATTR`; `TOKEN done ATTR JSON` with
  { drv, outputs: { NAME: path } }; the derivations are in the store then.
*/
{
  file,
  arguments,
  attrs,
  token,
}:
let
  inherit (import ./tree.nix { inherit file arguments; }) tree select;
  tell = words: builtins.trace (builtins.concatStringsSep " " ([ token ] ++ words));
  path = value: builtins.unsafeDiscardStringContext value;
  describe =
    attr:
    let
      drv = select attr;
    in
    builtins.addErrorContext "while evaluating the target ${attr}" (
      builtins.toJSON {
        drv = path drv.drvPath;
        outputs = builtins.listToAttrs (
          map (name: {
            inherit name;
            value = path drv.${name}.outPath;
          }) (drv.outputs or [ "out" ])
        );
      }
    );
  evaluate =
    _: attr:
    tell [
      "begin"
      attr
    ] (tell [ "done" attr (describe attr) ] null);
in
builtins.seq tree (tell [ "tree" ] (builtins.foldl' evaluate null (builtins.fromJSON attrs)))
