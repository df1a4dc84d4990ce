/**
  Contents of files of /etc, as etc.nix takes them, and quoting for the shell.

  # Output
  text: string → file.
  lines: list of strings → file with each of them on a line.
  link: path → link to it, as it is written.
  below: folder: files → the same files with paths that begin with the folder.
  shellQuote: value → one word of a shell command.
*/
let
  inherit (builtins)
    attrNames
    concatStringsSep
    listToAttrs
    replaceStrings
    ;

  text = text: { inherit text; };
in
{
  inherit text;

  lines = list: text (concatStringsSep "" (map (line: line + "\n") list));

  link = link: { inherit link; };

  below =
    folder: files:
    listToAttrs (
      map (name: {
        name = "${folder}/${name}";
        value = files.${name};
      }) (attrNames files)
    );

  shellQuote = value: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
}
