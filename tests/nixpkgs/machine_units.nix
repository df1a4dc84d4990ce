# One module, read by NixOS and by the Debian base: the texts of its unit files.
{ nixpkgs, machine }:
let
  module = {
    systemd.services = {
      full = {
        description = "Everything at once";
        documentation = [ "man:web(1)" ];
        wantedBy = [ "multi-user.target" ];
        after = [
          "network.target"
          "plain.service"
        ];
        before = [ "b.service" ];
        requires = [ "plain.service" ];
        wants = [ "c.service" ];
        bindsTo = [ "d.service" ];
        partOf = [ "e.service" ];
        conflicts = [ "f.service" ];
        environment = {
          PORT = "80";
          GONE = null;
          QUOTED = "a \"b\" \\ c\nd";
        };
        preStart = "prepare";
        postStart = "greet";
        serviceConfig = {
          DynamicUser = true;
          ExecStart = "/bin/web -p 80";
          ExecStopPost = [
            "/bin/one"
            "/bin/two"
          ];
          LimitNOFILE = 1024;
          PrivateTmp = false;
        };
        unitConfig.ConditionPathExists = [
          "/a"
          "/b"
        ];
        restartIfChanged = false;
      };
      plain.serviceConfig.ExecStart = "/bin/plain";
      scripted.script = "work";
    };
  };
  names = builtins.attrNames module.systemd.services;

  nixos =
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [ module ];
    }).config.systemd.units;

  evaluator = import (machine + "/evaluator") { baseHint = ""; };
  config = evaluator.evaluate {
    subject = "comparison";
    options =
      (import (machine + "/options.nix") {
        inherit (evaluator) types;
        name = "comparison";
      }).machine;
    modules = [ module ];
    arguments = { };
  };
  debian = import (machine + "/services/units.nix") {
    writeScript = name: _: "/nix/store/hash-unit-script-${name}/bin/${name}";
    inherit (config.systemd) services;
  };
  texts =
    units:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = units."${name}.service".text;
      }) names
    );
in
{
  nixos = texts nixos;
  debian = texts debian;
}
