/**
  What users find on a machine: the variables of their shells, and the files that the configuration puts into /etc.

  # Inputs
  fail: message → throws, naming the machine.
  config: the evaluated configuration.

  # Output
  profile: the file /etc/profile.
  declared: files of /etc, as `environment.etc` has them. Files with a mode are copies: activation.nix gives them their
    mode and owner, which the store cannot hold.
*/
{ fail, config }:
let
  inherit (builtins) attrNames mapAttrs;
  inherit (import ../text.nix) lines shellQuote text;
  inherit (config.environment) etc variables;
in
{
  profile = lines (
    [
      "export PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin"
    ]
    ++ map (name: "export ${name}=${shellQuote variables.${name}}") (attrNames variables)
  );

  declared = mapAttrs (
    name: file:
    if file.text != null && file.source != null then
      fail "environment.etc.${name} has both `text` and `source`"
    else if file.text != null then
      text file.text
    else if file.source != null then
      {
        inherit (file) source;
        copy = file.mode != "symlink";
      }
    else
      fail "environment.etc.${name} has neither `text` nor `source`"
  ) etc;
}
