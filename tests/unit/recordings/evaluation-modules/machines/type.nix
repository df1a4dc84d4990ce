{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";
  networking.firewall = {
    enable = "yes";
  };
}
