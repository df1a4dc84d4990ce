{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";
  environment.variables.X = throw "no value for X";
}
