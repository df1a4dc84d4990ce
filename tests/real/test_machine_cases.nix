# What test_machine_evaluator.py asks, answered in one evaluation: name → value.
{ machine }:
let
  evaluator = import (machine + "/evaluator") { baseHint = "HINT"; };
  lib = evaluator.functions;
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
      arguments = {
        inherit lib;
        pkgs = { };
        name = "web";
        nodes = { };
      };
    };
  service =
    modules: (evaluate (map (value: { systemd.services.app = value; }) modules)).systemd.services.app;
  ports =
    modules:
    (evaluate (map (value: { networking.firewall.allowedTCPPorts = value; }) modules))
    .networking.firewall.allowedTCPPorts;
  hostName =
    modules: (evaluate (map (value: { networking.hostName = value; }) modules)).networking.hostName;
  render =
    services:
    import (machine + "/services/units.nix") {
      writeScript = name: text: "/scripts/${name}?${builtins.hashString "md5" text}";
      services = (evaluate [ { systemd.services = services; } ]).systemd.services;
    };
  users =
    config:
    import (machine + "/config/users.nix") {
      fail = message: throw ''machine "web": ${message}'';
      inherit ((evaluate [ { users = config; } ]).users) users groups;
    };
  recorded = import ./test_machine_recorded.nix { inherit machine; };
  documentOf =
    target: builtins.fromJSON (builtins.head target.description.exportReferencesGraph.closure).text;
  fails = value: !(builtins.tryEval (builtins.deepSeq value null)).success;
in
{
  # defaults and priorities
  hostNameDefault = hostName [ ];
  hostNameSet = hostName [ "a" ];
  agreeing = hostName [
    "a"
    "a"
  ];
  defaultYields = hostName [
    "a"
    (lib.mkDefault "b")
  ];
  forceWins = hostName [
    (lib.mkForce "b")
    "a"
  ];
  strongerOverride = hostName [
    (lib.mkOverride 40 "c")
    (lib.mkForce "b")
  ];
  mergeOfConditions = hostName [
    (lib.mkMerge [
      (lib.mkIf false "no")
      (lib.mkIf true (lib.mkForce "yes"))
    ])
    "a"
  ];
  conflictFails = fails (hostName [
    "a"
    "b"
  ]);
  conflictOfDefaultsFails = fails (hostName [
    (lib.mkDefault "a")
    (lib.mkDefault "b")
  ]);

  # lists and text
  listsConcatenate = ports [
    [ 1 ]
    [
      2
      3
    ]
  ];
  listOrder = ports [
    (lib.mkAfter [ 3 ])
    [ 2 ]
    (lib.mkBefore [ 1 ])
  ];
  listForce = ports [
    (lib.mkForce [ 1 ])
    [ 2 ]
  ];
  itemCondition = ports [
    [
      1
      (lib.mkIf false 2)
    ]
  ];
  linesJoin =
    (service [
      { preStart = lib.mkAfter "second"; }
      { preStart = "first"; }
    ]).preStart;

  # sets
  environmentMerges =
    (service [
      {
        environment = {
          A = "1";
          B = null;
        };
      }
      { environment.C = 2; }
      { environment.A = lib.mkForce "3"; }
    ]).environment;
  undefinedNamesVanish =
    builtins.attrNames
      (service [ { environment.A = lib.mkIf false "1"; } ]).environment;
  unitListsConcatenate =
    (service [
      { serviceConfig.ExecStartPre = "one"; }
      { serviceConfig.ExecStartPre = [ "two" ]; }
    ]).serviceConfig.ExecStartPre;
  unitScalarsConflict =
    fails
      (service [
        { serviceConfig.Restart = "no"; }
        { serviceConfig.Restart = "always"; }
      ]).serviceConfig;

  # modules
  importsOfEveryKind =
    (evaluate [
      {
        imports = [
          { networking.firewall.allowedTCPPorts = [ 1 ]; }
          ({ name, ... }: { networking.hosts."10.0.0.1" = [ name ]; })
          { imports = [ ./test_machine_imported.nix ]; }
        ];
        config.networking.firewall.allowedTCPPorts = [ 3 ];
      }
    ]).networking;
  conditionReadsConfiguration =
    (evaluate [
      (
        { config, lib, ... }:
        {
          config = lib.mkIf (config.networking.hostName == "web") { networking.firewall.enable = false; };
        }
      )
    ]).networking.firewall.enable;
  falseConditionOverEverything =
    (evaluate [
      ({ lib, ... }: lib.mkIf false { networking.hostName = "no"; })
    ]).networking.hostName;

  # units
  unit = (
    render {
      web = {
        description = "Web";
        wantedBy = [ "multi-user.target" ];
        requiredBy = [ "b.target" ];
        after = [
          "network.target"
          "a.service"
        ];
        environment = {
          EMPTY = "";
          GONE = null;
          PORT = 80;
          QUOTED = "a \"b\" \\ c\nd";
        };
        path = [ "/nix/store/x" ];
        preStart = "prepare";
        postStart = "greet";
        serviceConfig = {
          DynamicUser = true;
          ExecStart = "/nix/store/x/bin/web -p 80";
          ExecStartPre = [ "/bin/true" ];
          LimitNOFILE = 1024;
          PrivateTmp = false;
        };
        unitConfig.ConditionPathExists = [
          "/a"
          "/b"
        ];
      };
    }
  );
  scriptUnit = (render { job.script = "work"; })."job.service".text;
  disabledUnit = render {
    off = {
      enable = false;
      wantedBy = [ "multi-user.target" ];
    };
  };

  # vm.json, but for its closure
  machineDocument = documentOf (
    recorded.machine {
      name = "web";
      modules = [ { } ];
    }
  );
  networked =
    let
      target = recorded.machine {
        name = "web";
        modules = [
          {
            boot = {
              initrd.availableKernelModules = [ "nvme" ];
              kernel.sysctl = {
                "net.ipv4.ip_forward" = true;
                "vm.swappiness" = 10;
                "kernel.sysrq" = null;
              };
              kernelModules = [ "br_netfilter" ];
              kernelParams = [ "panic=5" ];
              loader.systemd-boot.enable = true;
            };
            fileSystems."/".device = "/dev/vda1";
            networking = {
              domain = "example.org";
              nameservers = [
                "10.0.0.3"
                "fd00::3"
              ];
              defaultGateway = "10.0.0.1";
              defaultGateway6 = "fd00::1";
              interfaces.eth7 = {
                ipv4.addresses = [
                  {
                    address = "10.0.0.2";
                    prefixLength = 24;
                  }
                ];
                ipv6.addresses = [
                  {
                    address = "fd00::2";
                    prefixLength = 64;
                  }
                ];
                mtu = 1400;
                useDHCP = false;
              };
            };
            swapDevices = [ { device = "/dev/vdb"; } ];
            users.groups.ann = { };
            users.users.ann = {
              group = "ann";
              isNormalUser = true;
              openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA ann" ];
            };
          }
        ];
      };
    in
    {
      inherit (target) files;
      cmdline = (builtins.head (documentOf target).nodes).cmdline;
    };
  clustered =
    (recorded.machine {
      name = "master-0";
      modules = [
        {
          imports = [ (machine + "/../../../nixos/cluster.nix") ];
          networking.hosts."10.0.1.10" = [ "api" ];
          nixgen.cluster = {
            id = 0;
            role = "master";
            master = "master-0";
            members = {
              master-0 = "10.0.1.10";
              worker-0 = null;
            };
          };
          nixgen.ec2 = {
            region = "eu-central-1";
            instanceType = "m5.large";
            public = false;
            rootSize = 30;
            subnet.id = "subnet-0a1b2c3d";
            securityGroups = [
              {
                id = "sg-0a1b2c3d";
                ingress = [
                  {
                    protocol = "tcp";
                    from = 6443;
                    to = 6443;
                    source = "10.0.0.0/16";
                  }
                ];
              }
            ];
            storage = [ ];
          };
        }
      ];
    }).files;
  testDocument = documentOf (
    recorded.test {
      name = "smoke";
      modules = [
        {
          name = "smoke";
          skipLint = true;
          nodes.b =
            { nodes, name, ... }:
            {
              networking.hosts."10.0.0.1" = [ nodes.a.networking.hostName ];
              networking.hostName = "${name}-host";
              virtualisation.vlans = [
                1
                7
              ];
            };
          nodes.a = {
            virtualisation.memorySize = 256;
            virtualisation.vlans = [ 7 ];
          };
          testScript = { nodes, ... }: "names: ${toString (builtins.attrNames nodes)}";
        }
        { nodes.a.imports = [ { virtualisation.cores = 2; } ]; }
      ];
    }
  );

  # users
  users =
    let
      result = users {
        users = {
          app = {
            isSystemUser = true;
            group = "app";
            extraGroups = [ "media" ];
          };
          db = {
            isSystemUser = true;
            group = "db";
            uid = 998;
            home = "/var/lib/db";
            createHome = true;
          };
          eve = {
            isNormalUser = true;
            extraGroups = [ "wheel" ];
          };
          zoe = {
            isSystemUser = true;
            group = "app";
          };
        };
        groups = {
          app = { };
          db.gid = 998;
          media.members = [ "eve" ];
        };
      };
      ours = builtins.filter (
        line: builtins.isString line && builtins.match "(app|db|eve|zoe|media|wheel):.*" line != null
      );
      split = text: ours (builtins.split "\n" text);
    in
    {
      passwd = split result.passwd;
      group = split result.group;
      inherit (result) homes;
    };
  unchangedByNeighbours =
    let
      only = users {
        users.b = {
          isSystemUser = true;
          group = "users";
        };
      };
    in
    only.uidOf "b";

  firewall = import (machine + "/config/firewall.nix") {
    allowedTCPPorts = [
      443
      80
    ];
    allowedTCPPortRanges = [ ];
    allowedUDPPorts = [ ];
    allowedUDPPortRanges = [
      {
        from = 8000;
        to = 8010;
      }
    ];
  };
}
