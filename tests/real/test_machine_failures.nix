# Modules that must be refused; test_machine_evaluator.py evaluates one of them at a time for its message.
{ machine, case }:
let
  evaluator = import (machine + "/evaluator") { baseHint = "HINT"; };
  options = import (machine + "/options.nix") {
    inherit (evaluator) types;
    name = "web";
  };
  evaluate =
    modules:
    evaluator.evaluate {
      subject = ''machine "web"'';
      options = options.machine;
      inherit modules;
      arguments.lib = evaluator.functions;
    };
  users =
    config:
    (import (machine + "/config/users.nix") {
      fail = message: throw ''machine "web": ${message}'';
      inherit ((evaluate [ { users = config; } ]).users) users groups;
    });
  recorded = import ./test_machine_recorded.nix { inherit machine; };
  system =
    module:
    (recorded.machine {
      name = "web";
      modules = [ module ];
    }).toplevel.etc.commands;
  cases = {
    unknownOption = evaluate [ { services.nginx.enable = true; } ];
    misspelt =
      (evaluate [ { systemd.services.app.serviceconfig.Restart = "no"; } ]).systemd.services.app;
    wrongType =
      (evaluate [ { networking.firewall.allowedTCPPorts = [ "80" ]; } ])
      .networking.firewall.allowedTCPPorts;
    wrongPort =
      (evaluate [ { networking.firewall.allowedTCPPorts = [ 65536 ]; } ])
      .networking.firewall.allowedTCPPorts;
    notASet = evaluate [ { networking = true; } ];
    conflict =
      (evaluate [
        { networking.hostName = "a"; }
        { networking.hostName = "b"; }
      ]).networking.hostName;
    argument = evaluate [ ({ nmae, ... }: { }) ];
    declares = evaluate [ { options.own = 1; } ];
    besideConfig = evaluate [
      {
        config = { };
        networking.hostName = "a";
      }
    ];
    nodeOption = evaluate [ { virtualisation.memorySize = 512; } ];
    sameUid =
      (users {
        users.a = {
          isSystemUser = true;
          group = "users";
          uid = 7;
        };
        users.b = {
          isSystemUser = true;
          group = "users";
          uid = 7;
        };
      }).passwd;
    missingGroup =
      (users {
        users.a = {
          isSystemUser = true;
          group = "staff";
        };
      }).passwd;
    takenService = system { systemd.services.firewall.script = "true"; };
    emptyFile = system { environment.etc."a".mode = "0600"; };
    twoFiles = system {
      environment.etc."a" = {
        text = "";
        source = ./.;
      };
    };
    hostName = recorded.machine {
      name = "web.1";
      modules = [ ];
    };
    noNodes = recorded.test {
      name = "web";
      modules = [ ];
    };
    optionOfANode =
      (recorded.test {
        name = "web";
        modules = [ { nodes.web.boot.loader.enable = false; } ];
      }).description.exportReferencesGraph;
    tooManyNetworks =
      (recorded.test {
        name = "web";
        modules = [ { nodes.web.virtualisation.vlans = [ 255 ]; } ];
      }).description.exportReferencesGraph;
    neitherKind = (users { users.a.group = "users"; }).passwd;
  };
in
builtins.deepSeq cases.${case} null
