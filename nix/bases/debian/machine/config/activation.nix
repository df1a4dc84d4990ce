/**
  What a machine does before systemd starts: the modes, the owners and the homes, which a read-only store cannot hold.

  # Inputs
  config: the evaluated configuration.
  users: { uidOf, gidOf, homes } of users.nix.

  # Output
  A list of shell commands, in their order.
*/
{ config, users }:
let
  inherit (builtins) attrNames concatMap filter;
  inherit (import ../text.nix) shellQuote;
  inherit (config.environment) etc;
in
[
  "chmod 0600 /etc/shadow"
]
++ concatMap (
  name:
  let
    file = etc.${name};
    path = shellQuote "/etc/${name}";
    owner = "${toString (users.uidOf file.user)}:${toString (users.gidOf file.group)}";
  in
  [
    "chown ${owner} ${path}"
    "chmod ${file.mode} ${path}"
  ]
) (filter (name: etc.${name}.mode != "symlink") (attrNames etc))
++ concatMap (home: [
  "mkdir -p ${shellQuote home.path}"
  "chown ${toString home.uid}:${toString home.gid} ${shellQuote home.path}"
  "chmod 0700 ${shellQuote home.path}"
]) users.homes
