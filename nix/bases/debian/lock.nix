/**
  The part of debian.lock.json (contract 3) that is about one architecture, or an error that says what to run.

  # Output
  { roots, packages, units, busybox }
*/
{ lock, architecture }:
let
  update = "run `nixgen inputs update debian`";
  document = builtins.fromJSON (builtins.readFile lock);
  schema = document.schema or null;
in
if lock == null then
  throw "the Debian base needs a lock: pass lock = ./debian.lock.json; to write one, ${update}"
else if !builtins.pathExists lock then
  throw "${toString lock} does not exist; to write it, ${update}"
else if schema != "nixgen/debian-lock/1" then
  throw "${toString lock} has schema ${builtins.toJSON schema}, not nixgen/debian-lock/1; ${update}"
else
  document.architectures.${architecture}
    or (throw "${toString lock} has nothing for ${architecture}; add it to flake-inputs.json and ${update}")
