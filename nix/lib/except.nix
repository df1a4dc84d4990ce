/**
  A filter for `builtins.path` that leaves out entries by their name, wherever they occur.

  # Inputs
  names: a list such as [ ".git" "node_modules" ].
*/
names: path: _type: !builtins.elem (baseNameOf path) names
