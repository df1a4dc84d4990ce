/**
  Evaluates targets one after the other, and reports the begin and the end of each.

  # Inputs
  file, arguments: see ./tree.nix.
  attrs: the targets, a list as JSON.
  token: a random word, so that no trace of the user looks like one of these.

  # Output
  null. Each report is a trace: `TOKEN tree` after the tree itself is evaluated, `TOKEN begin ATTR`, and
  `TOKEN done ATTR JSON` with { drv, outputs: { NAME: path } }, after the derivation is in the store.
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
