{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";
  environment.variables.X = throw "\nFailed assertions:\n- port 80 is taken twice";
}
