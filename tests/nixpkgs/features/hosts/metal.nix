# A module by hand, which both bases read.
{ lib, pkgs, ... }:
{
  environment.systemPackages = [ pkgs.nginx ];
  environment.etc."by-hand".text = lib.mkDefault "by hand";
}
