/**
  What a machine asks of its kernel at boot: modules to load and parameters to set.

  # Inputs
  config: the evaluated configuration.

  # Output
  Files of /etc, for systemd-modules-load and systemd-sysctl.
*/
{ config }:
let
  inherit (builtins) attrNames filter;
  inherit (import ../text.nix) lines;

  # As NixOS writes them; null leaves a setting alone.
  settings = config.boot.kernel.sysctl;
  show = value: if value == false then "0" else toString value;
in
{
  "modules-load.d/nixos.conf" = lines config.boot.kernelModules;
  "sysctl.d/60-nixos.conf" = lines (
    map (name: "${name}=${show settings.${name}}") (
      filter (name: settings.${name} != null) (attrNames settings)
    )
  );
}
