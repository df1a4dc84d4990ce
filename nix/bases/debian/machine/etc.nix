/**
  A tree of files from their texts, sources and links, in one derivation.

  # Inputs
  name: of the derivation.
  files: path → `{ text }`, `{ source }` (a link to a store path, or a copy with `copy = true`) or `{ link }`
    (a link as it is written).

  # Output
  A derivation with those paths below $out.
*/
{
  runBusybox,
  name,
  files,
}:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    replaceStrings
    ;

  quote = text: "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";

  write =
    path:
    let
      file = files.${path};
      target = "\"$out\"/${quote path}";
    in
    "mkdir -p \"$(dirname ${target})\"\n"
    + (
      if file ? text then
        "printf %s ${quote file.text} > ${target}"
      else if file ? link then
        "ln -s ${quote file.link} ${target}"
      else if file.copy or false then
        "cp -RL ${quote "${file.source}"} ${target}"
      else
        "ln -s ${quote "${file.source}"} ${target}"
    );
in
# The texts of a machine outgrow the size of one argument, so they come in a file.
runBusybox name {
  passAsFile = [ "commands" ];
  commands = concatStringsSep "\n" ([ "mkdir -p \"$out\"" ] ++ map write (attrNames files));
} ''. "$commandsPath"''
