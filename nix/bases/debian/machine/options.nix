/**
  The subset of NixOS's options that nixgen emits: docs/contracts.md §2, as data.

  Inputs: `types` of the evaluator; `name`, the machine's name.

  Result: `machine`, `node` (a machine of a test) and `test`: trees for the evaluator. Defaults are NixOS's,
  where the option exists in both worlds.
*/
{ types, name }:
let
  inherit (types)
    attrsOf
    bool
    deferredModule
    enum
    environmentValue
    int
    lines
    listOf
    nullOr
    package
    path
    port
    positive
    str
    submodule
    sysctlValue
    testScript
    unitValue
    ;

  option = type: default: {
    _type = "option";
    inherit type default;
  };

  words = option (listOf str) [ ];

  service = {
    enable = option bool true;
    description = option str "";
    documentation = words;
    wantedBy = words;
    requiredBy = words;
    after = words;
    before = words;
    requires = words;
    wants = words;
    bindsTo = words;
    partOf = words;
    conflicts = words;
    environment = option (attrsOf (nullOr environmentValue)) { };
    path = option (listOf package) [ ];
    serviceConfig = option (attrsOf unitValue) { };
    unitConfig = option (attrsOf unitValue) { };
    preStart = option lines "";
    postStart = option lines "";
    script = option lines "";
    restartIfChanged = option bool true;
  };

  user = {
    isSystemUser = option bool false;
    isNormalUser = option bool false;
    uid = option (nullOr int) null;
    group = option str "";
    extraGroups = words;
    home = option (nullOr path) null;
    createHome = option (nullOr bool) null;
    shell = option (nullOr path) null;
    description = option str "";
    openssh.authorizedKeys.keys = words;
  };

  group = {
    gid = option (nullOr int) null;
    members = words;
  };

  etcFile = {
    text = option (nullOr lines) null;
    source = option (nullOr path) null;
    mode = option str "symlink";
    user = option str "root";
    group = option str "root";
  };

  addresses = option (listOf (submodule {
    address = option str "";
    prefixLength = option int 0;
  })) [ ];

  interface = {
    ipv4 = { inherit addresses; };
    ipv6 = { inherit addresses; };
    mtu = option (nullOr positive) null;
    useDHCP = option (nullOr bool) null;
  };

  fileSystem = {
    device = option (nullOr str) null;
    fsType = option str "auto";
    options = option (listOf str) [ "defaults" ];
    neededForBoot = option bool false;
  };

  # Read and checked, and without effect: a machine of this base is a virtual one, whose kernel and root come from
  # outside, as those of NixOS's own virtual machines do (qemu-vm.nix puts its own in their place).
  ofRealMachines = {
    boot = {
      initrd.availableKernelModules = words;
      loader = {
        efi.canTouchEfiVariables = option bool false;
        grub = {
          enable = option bool false;
          device = option str "";
        };
        systemd-boot.enable = option bool false;
      };
    };
    fileSystems = option (attrsOf (submodule fileSystem)) { };
    swapDevices = option (listOf (submodule {
      device = option str "";
    })) [ ];
  };

  # Those of ../../../nixos/cluster.nix, which says what they mean.
  nixgen = {
    cluster = option (nullOr (submodule {
      id = option int 0;
      role = option (enum [
        "master"
        "worker"
      ]) "master";
      master = option str "";
      members = option (attrsOf (nullOr str)) { };
      podNetwork = option (nullOr str) null;
    })) null;
    ec2 = option (nullOr (submodule {
      region = option str "";
      instanceType = option str "";
      address = option (nullOr str) null;
      public = option bool false;
      image = option (nullOr str) null;
      keyPair = option (nullOr str) null;
      rootSize = option positive 1;
      subnet = {
        id = option str "";
        cidr = option (nullOr str) null;
        zone = option (nullOr str) null;
      };
      securityGroups = option (listOf (submodule {
        id = option str "";
        ingress = option (listOf (submodule {
          protocol = option (enum [
            "tcp"
            "udp"
          ]) "tcp";
          from = option port 0;
          to = option port 0;
          source = option str "";
        })) [ ];
      })) [ ];
      storage = option (listOf (submodule {
        device = option str "";
        size = option positive 1;
        type = option str "";
        mountPoint = option (nullOr str) null;
        fsType = option str "";
        encrypted = option bool false;
        deleteOnTermination = option bool false;
      })) [ ];
    })) null;
  };

  # Those of ../../../nixos/secrets.nix, which says what they mean.
  secret = submodule {
    name = option str "";
    file = option path "";
    given = option bool false;
    length = option positive 32;
    alphabet = option str "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  };

  portRanges = option (listOf (submodule {
    from = option port 0;
    to = option port 0;
  })) [ ];

  machine = {
    inherit nixgen;
    boot = {
      kernelModules = words;
      kernelParams = words;
      kernel.sysctl = option (attrsOf (nullOr sysctlValue)) { };
    }
    // ofRealMachines.boot;
    inherit (ofRealMachines) fileSystems swapDevices;
    networking = {
      hostName = option str name;
      domain = option (nullOr str) null;
      search = words;
      nameservers = words;
      defaultGateway = option (nullOr str) null;
      defaultGateway6 = option (nullOr str) null;
      interfaces = option (attrsOf (submodule interface)) { };
      hosts = option (attrsOf (listOf str)) { };
      firewall = {
        enable = option bool true;
        allowedTCPPorts = option (listOf port) [ ];
        allowedTCPPortRanges = portRanges;
        allowedUDPPorts = option (listOf port) [ ];
        allowedUDPPortRanges = portRanges;
      };
    };
    systemd = {
      services = option (attrsOf (submodule service)) { };
      tmpfiles.rules = words;
    };
    users = {
      users = option (attrsOf (submodule user)) { };
      groups = option (attrsOf (submodule group)) { };
    };
    environment = {
      systemPackages = option (listOf package) [ ];
      etc = option (attrsOf (submodule etcFile)) { };
      variables = option (attrsOf environmentValue) { };
    };
    system.stateVersion = option str "";
  };
in
{
  inherit machine;

  node = machine // {
    virtualisation = {
      memorySize = option positive 1024;
      cores = option positive 1;
      diskSize = option positive 1024;
      vlans = option (listOf positive) [ 1 ];
    };
  };

  test = {
    name = option str name;
    nodes = option (attrsOf deferredModule) { };
    testScript = option testScript "";
    nixgen = {
      secrets = option (attrsOf (listOf secret)) { };
      # the VM runner makes the values, without a word in the script
      prelude = option str "";
    };
    # Checks of the test script that NixOS makes and this base does not.
    skipTypeCheck = option bool false;
    skipLint = option bool false;
  };
}
