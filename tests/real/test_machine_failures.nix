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

  # Text that would become a line, a field or a command of its own, in each option that is put into one.
  hostile = {
    description.systemd.services.a.description = "x\n[Service]\nExecStartPre=+/bin/sh";
    descriptionReturn.systemd.services.a.description = "x\rExecStartPre=+/bin/sh";
    descriptionBackslash.systemd.services.a.description = "x\\";
    setting.systemd.services.a.serviceConfig.ExecStart = [
      "/bin/true"
      "/bin/true\nUser=root"
    ];
    settingName.systemd.services.a.serviceConfig."X=y\nUser" = "root";
    unitSetting.systemd.services.a.unitConfig.ConditionPathExists = "/a\n[Service]\nUser=root";
    unit.systemd.services."a\n" = { };
    wanted.systemd.services.a.wantedBy = [ "../../a" ];
    after.systemd.services.a.after = [ "b.service\nUser=root" ];
    variable.systemd.services.a.environment."A\nUser" = "root";
    gecos.users.users.a.description = "x:/:/bin/sh";
    gecosLine.users.users.a.description = "x\n";
    home.users.users.a.home = "/a:/bin/sh";
    shell.users.users.a.shell = "/bin/sh\nb:x:0:0::/:/bin/sh";
    user.users.users."a:x:0:0" = { };
    group.users.groups."a\nb" = { };
    member.users.groups.a.members = [ "b,c" ];
    key.users.users.a.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA\nssh-ed25519 BBBB" ];
    parameter.boot.kernelParams = [ "quiet init=/bin/sh" ];
    parameterBlank.boot.kernelParams = [ "x=àinit=/bin/sh" ];
    module.boot.kernelModules = [ "a\nb" ];
    sysctl.boot.kernel.sysctl."kernel.domainname" = "a\nkernel.core_pattern=|/bin/sh";
    sysctlName.boot.kernel.sysctl."a=b\nc" = 1;
    rule.systemd.tmpfiles.rules = [ "d /a\nf+ /etc/passwd - - - - x" ];
    domain.networking.domain = "a b";
    server.networking.nameservers = [ "10.0.0.1\noptions debug" ];
    gateway.networking.defaultGateway = "10.0.0.1\nroute flush all";
    interface.networking.interfaces."eth0 up" = { };
    address.networking.interfaces.eth0.ipv4.addresses = [ { address = "10.0.0.1/8 dev lo"; } ];
    neighbour.networking.hosts."10.0.0.1" = [ "a\n10.0.0.2 b" ];
    neighbourAddress.networking.hosts."10.0.0.1 b\n10.0.0.2" = [ "a" ];
    etcPath.environment.etc."../root/x".text = "";
    etcMode.environment.etc.a = {
      text = "";
      mode = "0644; /bin/sh";
    };
    exported.environment.variables."A; /bin/sh; B" = "";
    member'.nixgen.cluster.members."a b" = null;
  };

  # The same options with text that reads like that and is none of it.
  harmless = {
    systemd.services."getty@tty1" = {
      description = "100%% of it: a = [b]; # \"c\"\n";
      after = [ "dev-disk-by\\x2dlabel-a.device" ];
      serviceConfig.ExecStart = "/bin/sh -c \\\n  'echo a' \\\n";
      environment.A = "a\nb\\";
    };
    users.users.a = {
      isNormalUser = true;
      description = "Ann, ext. 1 = [b]";
      openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA a\n" ];
    };
    boot.kernelParams = [ "dyndbg=\"file a.c +p\"" ];
    boot.kernel.sysctl."net/ipv4/conf/eth0.1/forwarding" = "1\n";
    systemd.tmpfiles.rules = [ "f /a - - - - x y\n" ];
    networking.nameservers = [ "fe80::1%eth0" ];
    environment.etc."a.d/.b".mode = "u=rw,go=";
  };
  lines = builtins.mapAttrs (_: module: evaluate [ module ]) (hostile // { inherit harmless; });
in
if case == "hostile" then
  builtins.mapAttrs (_: config: (builtins.tryEval (builtins.deepSeq config null)).success) lines
else
  builtins.deepSeq (cases // lines).${case} null
