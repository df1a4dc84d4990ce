{ lib, config, ... }:
{
  options.networking.hostName = lib.mkOption { type = lib.types.str; };
  options.networking.firewall.enable = lib.mkOption { type = lib.types.bool; default = true; };
  options.environment.variables = lib.mkOption { type = lib.types.attrsOf lib.types.str; default = { }; };
  config.networking.hostName = lib.mkIf (config.environment.variables ? CONFLICT) "first";
}
