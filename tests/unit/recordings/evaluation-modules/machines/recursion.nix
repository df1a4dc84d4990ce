{ config, lib, ... }:
{
  networking.hostName = config.networking.hostName;
}
