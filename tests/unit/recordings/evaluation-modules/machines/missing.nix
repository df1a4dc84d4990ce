{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";
  environment.variables.X = config.nothing;
}
