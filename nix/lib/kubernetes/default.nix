/**
  kubernetes.json (nixgen/kubernetes/1, docs/contracts.md §10), the same on every base.

  # Inputs
  writeText: name → text → derivation.
  runCommand: see ../programs.nix.

  # Output
  { name, version, namespace, objects } → a derivation whose $out is kubernetes.json, with the attribute `document`, which
  is the same as a value: whoever reads just that needs no package and builds nothing.
*/
{ runCommand, writeText }:
{
  name,
  version,
  namespace,
  objects,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    genList
    head
    length
    listToAttrs
    removeAttrs
    sort
    tail
    ;

  # What the objects of a group need is in the groups before it. Kinds that it does not list come last.
  order = (builtins.fromJSON (builtins.readFile ./order.json)).groups;
  listed = concatMap (group: group.kinds) order;
  ranks = listToAttrs (
    genList (rank: {
      name = builtins.elemAt listed rank;
      value = rank;
    }) (length listed)
  );
  last = (builtins.elemAt order (length order - 1)).name;

  isKubenixs = builtins.match "kubenix/.*";

  # Without what kubenix itself puts on every object: its hash changes all of them with any, and the rest is said once, at
  # the top of the document.
  plain =
    object:
    let
      cleaned = builtins.mapAttrs (
        field: value:
        if elem field noted then
          removeAttrs value (filter (key: isKubenixs key != null) (attrNames value))
        else
          value
      ) object.metadata;
      noted = [
        "annotations"
        "labels"
      ];
    in
    object
    // {
      metadata = removeAttrs cleaned (filter (field: cleaned.${field} or null == { }) noted);
    };

  referenceTo = object: {
    inherit (object) apiVersion kind;
    inherit (object.metadata) name;
    namespace = object.metadata.namespace or null;
  };

  keyOf =
    object:
    let
      it = referenceTo object;
    in
    [
      (ranks.${it.kind} or (length listed))
      it.kind
      it.apiVersion
      (if it.namespace == null then "" else it.namespace)
      it.name
    ];
  isBefore =
    a: b: a != [ ] && (if head a == head b then isBefore (tail a) (tail b) else head a < head b);

  items = sort (a: b: isBefore (keyOf a) (keyOf b)) (map plain objects);

  membersOf =
    group:
    filter (item: elem item.kind group.kinds || (group.name == last && !elem item.kind listed)) items;
  present = filter (group: membersOf group != [ ]) order;
  groups = genList (
    index:
    let
      group = builtins.elemAt present index;
    in
    {
      inherit (group) name;
      needs = genList (before: (builtins.elemAt present before).name) index;
      objects = map referenceTo (membersOf group);
    }
  ) (length present);

  document = {
    schema = "nixgen/kubernetes/1";
    inherit
      groups
      name
      namespace
      version
      ;
    resources = {
      apiVersion = "v1";
      kind = "List";
      inherit items;
    };
  };

  text = builtins.toJSON document;

  # An empty part of a text that depends on the check: manifests that start what does not exist are not built.
  programs = import ../programs.nix { inherit runCommand; };
  checked = builtins.concatStringsSep "" (
    map (check: builtins.substring 0 0 "${check}") (
      programs.check {
        subject = "application \"${name}\"";
        programs = programs.ofText "a command" text;
      }
    )
  );

  file = writeText "kubernetes-${name}.json" (text + checked);
in
# Attribute by attribute, so that `document` is there before the package set is.
{
  type = "derivation";
  inherit (file)
    name
    drvPath
    outPath
    outputName
    system
    ;
  outputs = [ "out" ];
  out = file;
  inherit document;
}
