{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";
  environment.variables.X = let f = n: 1 + f (n + 1); in toString (f 0);
}
