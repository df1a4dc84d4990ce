/**
  Accounts of a machine: the user database and the keys that open them over ssh.

  # Inputs
  config: the evaluated configuration.
  users: the texts of passwd, group and shadow (users.nix).

  # Output
  Files of /etc.
*/
{ config, users }:
let
  inherit (builtins) attrNames filter listToAttrs;
  inherit (import ../text.nix) lines text;

  keysOf = name: config.users.users.${name}.openssh.authorizedKeys.keys;
in
{
  passwd = text users.passwd;
  group = text users.group;
  shadow = text users.shadow;
}
// listToAttrs (
  map (name: {
    name = "ssh/authorized_keys.d/${name}";
    value = lines (keysOf name);
  }) (filter (name: keysOf name != [ ]) (attrNames config.users.users))
)
