{ config, lib, ... }:
{
  networking.hostName = lib.mkDefault "m";

}
