/**
  A folder or file of the project as a store path, without what .gitignore files, version control and folders with nothing in them
  would add to it.

  A rule is `{ name = EXPRESSION; }` or `{ path = EXPRESSION; }`, for `builtins.match` on the name of an entry, or on its path from the
  folder that the rule belongs to. Folders are matched with a final slash, too. Of the rules that match, the last decides;
  `negated = true` makes it decide the other way. This is what git does with the lines of its files, which nixgen translates.

  # Inputs
  name: what the store path ends in.
  path: the folder or file.
  ignored: { place, rules }: folder → rules of its .gitignore file, and where `path` lies among these folders. Nothing below an
    ignored folder is looked at.
  exclude: further rules, for paths from `path`, that have the last word.
  include: rules of what is copied, each for all below it, too; everything when null.

  # Example
  source { name = "app"; path = ../app; exclude = [ { name = "node_modules/"; } { name = ".*[.]log"; } ]; }
*/
{
  name,
  path,
  ignored ? { },
  exclude ? [ ],
  include ? null,
}:
let
  inherit (builtins)
    any
    attrNames
    concatMap
    elem
    elemAt
    filter
    foldl'
    isString
    length
    listToAttrs
    match
    readDir
    split
    stringLength
    substring
    ;

  neverCopied = [
    ".git"
    ".hg"
    ".nixgen"
    ".svn"
  ];
  place = ignored.place or "";

  # What is made from a project is no part of it: this library is a part of its generated/, and nix-build leaves a result beside it.
  generated = toString ../..;
  made = [
    generated
    "${dirOf generated}/result"
  ];

  below = folder: name: if folder == "" then name else "${folder}/${name}";
  from = skipped: text: substring skipped (stringLength text) text;

  /**
    Rules, with the number of characters that paths have before they are relative to the folder of the rules.
  */
  rooted =
    folder: map (rule: rule // { skipped = if folder == "" then 0 else stringLength folder + 1; });
  rulesOf = folder: rooted folder (ignored.rules.${folder} or [ ]);

  matches =
    entry: rule:
    let
      expression = rule.name or rule.path;
      subject = if rule ? name then entry.name else from rule.skipped entry.path;
    in
    match expression subject != null || entry.isFolder && match expression "${subject}/" != null;

  /**
    Whether the last of the rules that match one of these entries is not negated.
  */
  holds =
    rules: entries:
    let
      matching = filter (rule: any (entry: matches entry rule) entries) rules;
    in
    matching != [ ] && !((elemAt matching (length matching - 1)).negated or false);

  exclusions = rooted place exclude;
  inclusions = rooted place include;

  /**
    What is copied of a folder, as paths from `path`.

    # Inputs
    folder: its own path from there.
    rules: of the folders that it is in.
    lineage: the entries that it and the folders around it are.
  */
  copied =
    {
      folder,
      rules,
      lineage,
    }:
    let
      here = if folder == "" then place else below place folder;
      active = rules ++ rulesOf here;
      kinds = readDir (if folder == "" then path else path + "/${folder}");
      copiedOf =
        name:
        let
          own = below folder name;
          entry = {
            inherit name;
            path = below here name;
            isFolder = kinds.${name} == "directory";
          };
          inside = copied {
            folder = own;
            rules = active;
            lineage = lineage ++ [ entry ];
          };
        in
        if elem name neverCopied || holds (active ++ exclusions) [ entry ] then
          [ ]
        else if elem (toString path + "/${own}") made then
          [ ]
        else if entry.isFolder then
          if inside == [ ] then [ ] else [ own ] ++ inside
        else if
          kinds.${name} != "unknown" && (include == null || holds inclusions (lineage ++ [ entry ]))
        then
          [ own ]
        else
          [ ];
    in
    concatMap copiedOf (attrNames kinds);

  parts = if place == "" then [ ] else filter isString (split "/" place);
  above =
    foldl'
      (found: part: {
        folder = below found.folder part;
        rules = found.rules ++ rulesOf found.folder;
      })
      {
        folder = "";
        rules = [ ];
      }
      parts;

  kept = listToAttrs (
    map
      (entry: {
        name = entry;
        value = null;
      })
      (copied {
        folder = "";
        inherit (above) rules;
        lineage = [ ];
      })
  );
in
builtins.path {
  inherit name path;
  filter = entry: _type: kept ? ${from (stringLength (toString path) + 1) entry};
}
