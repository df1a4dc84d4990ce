/**
  Faults of text that is put into a line of a file, where a line end, a blank or a colon would begin something else.

  Values of NixOS's options are written into lines as they are. What infra.py says has been checked before; a module that
  somebody wrote has not.

  # Output
  Functions from a text to what is wrong with it, the end of a sentence, or null.

  field: file: separators: for text inside a line of the file: no line end, no other control character, no separator.
  line: file: for text that is a whole line, or all of its end. A line end that ends the text is not counted, because
    `builtins.readFile` and texts in two quotes have one.
  setting: for the value of a setting of a unit file. Lines that a backslash continues are one line.
  accounts: subject: users: users, name → { home, … }, for /etc/passwd, or an error.
  fits: what: expression: for text that a regular expression matches as a whole.
*/
let
  inherit (builtins)
    elemAt
    filter
    fromJSON
    genList
    head
    isString
    length
    match
    replaceStrings
    split
    stringLength
    substring
    toJSON
    ;

  digit = number: substring number 1 "0123456789abcdef";
  character = number: fromJSON "\"\\u00${digit (number / 16)}${digit (number - number / 16 * 16)}\"";

  # The tab is none: it is a blank in each of the formats.
  controls = filter (each: each != "\t") (genList (index: character (index + 1)) 31 ++ [ delete ]);

  contains = text: each: replaceStrings [ each ] [ "" ] text != text;

  # One look for all of them: nearly every text has none.
  found =
    characters: text:
    if replaceStrings characters (map (_: "") characters) text == text then
      null
    else
      head (filter (contains text) characters);

  delete = character 127;
  show =
    text: replaceStrings [ delete ] [ "\\u007f" ] (builtins.unsafeDiscardStringContext (toJSON text));

  last = text: if text == "" then "" else substring (stringLength text - 1) 1 text;

  withoutEnd = text: if last text == "\n" then substring 0 (stringLength text - 1) text else text;

  field =
    file: separators:
    let
      refused = controls ++ separators;
    in
    text:
    let
      wrong = found refused text;
    in
    if wrong == null then null else "contains ${show wrong}, which would end its place in ${file}";

  unit = field "a unit file of systemd" [ ];

  # Whether each line but the last is continued, or followed by empty ones only.
  isContinued =
    lines: index:
    if index >= length lines - 1 then
      true
    else if last (elemAt lines index) == "\\" then
      isContinued lines (index + 1)
    else
      filter (line: line != "") (
        genList (each: elemAt lines (index + 1 + each)) (length lines - 1 - index)
      ) == [ ];
in
{
  inherit field;

  line = file: text: field file [ ] (withoutEnd text);

  setting =
    text:
    let
      lines = filter isString (split "\n" text);
      joined = replaceStrings [ "\n" ] [ " " ] text;
    in
    if contains text "\n" && !isContinued lines 0 then
      "contains ${show "\n"}, which would end its place in a unit file of systemd"
    else if last text == "\\" then
      "ends with a backslash, which would join it to the next line of a unit file of systemd"
    else
      unit joined;

  accounts =
    subject:
    builtins.mapAttrs (
      user: account:
      let
        wrong = filter (message: message != null) (
          map (field "/etc/passwd" [ ":" ]) [
            user
            (account.home or "/")
          ]
        );
      in
      if wrong == [ ] then account else throw "${subject}: the account ${show user} ${head wrong}."
    );

  fits =
    what: expression: text:
    if stringLength text <= 4096 && match expression text != null then
      null
    else
      "is not ${what}: ${show (substring 0 60 text)}";
}
