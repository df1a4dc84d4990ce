/**
  What some programs need to run from the store, as data (data/programs.json, data/dlopen.json) → for one unit.

  programs: name → { arguments, environment, open, calls }: words that a wrapper puts before those that it is called with,
    variables that it sets when they are unset, folders that it opens at a file number, and programs of dependencies that it
    puts at the end of PATH; @out@ is the unit's store path, and @libc-bin@ that of a package. A variable that is
    { value, unless } is not set where the path `unless` exists.
  binDirs: further folders, as patterns, that bin/ collects.
  replace: text → text of the same length inside files. Node reads parts of itself from /usr/share/nodejs before it
    reads its arguments; there is no option for it, and a store path is longer. A path through an open file number
    has the right length, and numbers above 16 are passed on to children.
  finish: shell text that runs last, in the unit's folder; `script` is a file of it in finish/. Python's byte code is made
    here: root may write to the store, so a python without it would add to its own store path. Sources get the time that
    Nix and images give every file, so the byte code stays valid.
  dlopen: libraries that programs load by name while running; those that exist among the dependencies go to RPATH.

  # Inputs
  members: names of a unit's packages.
*/
members:
let
  matching = pattern: builtins.any (member: builtins.match pattern member != null) members;
  entries = builtins.filter (entry: matching entry.package) (
    builtins.fromJSON (builtins.readFile ./data/programs.json)
  );
  dlopen = builtins.fromJSON (builtins.readFile ./data/dlopen.json);
in
{
  programs = builtins.foldl' (all: entry: all // entry.programs or { }) { } entries;
  binDirs = builtins.concatMap (entry: entry.binDirs or [ ]) entries;
  replace = builtins.concatMap (entry: if entry ? replace then [ entry.replace ] else [ ]) entries;
  finish = builtins.concatStringsSep "\n" (
    builtins.concatMap (
      entry:
      (if entry ? finish then [ entry.finish ] else [ ])
      ++ (if entry ? script then [ ". ${./finish + "/${entry.script}"}" ] else [ ])
    ) entries
  );
  dlopen = builtins.concatMap (pattern: if matching pattern then dlopen.${pattern} else [ ]) (
    builtins.attrNames dlopen
  );
}
