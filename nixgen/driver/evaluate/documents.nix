/**
  Evaluates the documents of targets, without the targets.

  # Inputs
  file, arguments: see ./tree.nix.
  attrs: the targets, a list as JSON, such as [ "kubernetes.shop" ]. Each has an attribute `document`.

  # Output
  The documents, in the order of the targets. Each is evaluated completely within a context that names
  its target, so a trace names the target.
*/
{
  file,
  arguments,
  attrs,
}:
let
  inherit (import ./tree.nix { inherit file arguments; }) select;
  documentOf =
    attr:
    let
      inherit (select attr) document;
    in
    builtins.addErrorContext "while evaluating the target ${attr}" (builtins.deepSeq document document);
in
map documentOf (builtins.fromJSON attrs)
