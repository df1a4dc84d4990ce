/**
  A folder or file of the project as a store path, without what version control and tools keep beside it.

  # Inputs
  name: what the store path ends in.
  path: the folder or file.
  exclude: further names to leave out, wherever they occur.

  # Example
  source { name = "app"; path = ../app; exclude = [ "node_modules" ]; }
*/
{
  name,
  path,
  exclude ? [ ],
}:
let
  excluded = [
    ".git"
    ".hg"
    ".nixgen"
    ".svn"
  ]
  ++ exclude;
in
builtins.path {
  inherit name path;
  filter = entry: _type: !builtins.elem (baseNameOf entry) excluded;
}
