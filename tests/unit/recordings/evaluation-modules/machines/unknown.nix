{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";
  networking.hostNme = "x";
}
