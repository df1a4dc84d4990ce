{ config, lib, ... }:
{
  environment.variables = {
    CONFLICT = "1";
  };

  networking.hostName = "second";
}
