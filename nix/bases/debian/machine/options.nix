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
    named
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
    within
    ;

  inherit (import ../../../lib/lines.nix)
    field
    fits
    line
    setting
    ;

  option = type: default: {
    _type = "option";
    inherit type default;
  };

  # Texts that are put into lines of files, by what the lines hold.
  passwd = field "/etc/passwd" [ ":" ];
  unitName = fits "a unit's name" "[A-Za-z0-9@%:_.\\-]+";
  settingName = fits "the name of a setting" "[A-Za-z0-9-]+";
  variable = fits "a variable's name" "[A-Za-z_][A-Za-z0-9_]*";
  userName = fits "the name of a user or group" "[A-Za-z_][A-Za-z0-9_.-]*[$]?";
  hostName = fits "the name of a host or domain" "[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?";
  address = fits "an IP address" "[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?";
  interfaceName = fits "a network interface" "[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}";
  # Quotes keep blanks together. The kernel reads Latin-1, in which more than ASCII is blank.
  parameter = fits "a kernel parameter" "([!#-~]|\"[ !#-~]*\")+";
  moduleName = fits "a kernel module" "[A-Za-z0-9_-]+";
  sysctlName = fits "a kernel setting" "[A-Za-z0-9_*][A-Za-z0-9_*@:-]*([./][A-Za-z0-9_*@:-]+)*";
  etcPath = fits "a path below /etc" "([^./][^/]*|[.][^./][^/]*)(/([^./][^/]*|[.][^./][^/]*))*";
  mode = fits "a mode" "symlink|direct-symlink|[0-7]{3,5}|[ugoa]*[-+=][rwxXst]*(,[ugoa]*[-+=][rwxXst]*)*";

  words = fault: option (within fault (listOf str)) [ ];

  service = {
    enable = option bool true;
    description = option (within setting str) "";
    documentation = words setting;
    wantedBy = words unitName;
    requiredBy = words unitName;
    after = words unitName;
    before = words unitName;
    requires = words unitName;
    wants = words unitName;
    bindsTo = words unitName;
    partOf = words unitName;
    conflicts = words unitName;
    # values stand in quotes, with escapes
    environment = option (named variable (nullOr environmentValue)) { };
    path = option (listOf package) [ ];
    serviceConfig = option (named settingName (within setting unitValue)) { };
    unitConfig = option (named settingName (within setting unitValue)) { };
    preStart = option lines "";
    postStart = option lines "";
    script = option lines "";
    restartIfChanged = option bool true;
  };

  user = {
    isSystemUser = option bool false;
    isNormalUser = option bool false;
    uid = option (nullOr int) null;
    group = option (within userName str) "";
    extraGroups = words userName;
    home = option (nullOr (within passwd path)) null;
    createHome = option (nullOr bool) null;
    shell = option (nullOr (within passwd path)) null;
    description = option (within passwd str) "";
    openssh.authorizedKeys.keys = words (line "a file of SSH keys");
  };

  group = {
    gid = option (nullOr int) null;
    members = words userName;
  };

  etcFile = {
    text = option (nullOr lines) null;
    source = option (nullOr path) null;
    mode = option (within mode str) "symlink";
    user = option str "root";
    group = option str "root";
  };

  addresses = option (listOf (submodule {
    address = option (within address str) "";
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
      initrd.availableKernelModules = words moduleName;
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
      members = option (named hostName (nullOr (within address str))) { };
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
      kernelModules = words moduleName;
      kernelParams = words parameter;
      kernel.sysctl = option (named sysctlName (
        nullOr (within (line "a file of sysctl.d") sysctlValue)
      )) { };
    }
    // ofRealMachines.boot;
    inherit (ofRealMachines) fileSystems swapDevices;
    networking = {
      hostName = option str name;
      domain = option (nullOr (within hostName str)) null;
      search = words hostName;
      nameservers = words address;
      defaultGateway = option (nullOr (within address str)) null;
      defaultGateway6 = option (nullOr (within address str)) null;
      interfaces = option (named interfaceName (submodule interface)) { };
      hosts = option (named address (within hostName (listOf str))) { };
      firewall = {
        enable = option bool true;
        allowedTCPPorts = option (listOf port) [ ];
        allowedTCPPortRanges = portRanges;
        allowedUDPPorts = option (listOf port) [ ];
        allowedUDPPortRanges = portRanges;
      };
    };
    systemd = {
      services = option (named unitName (submodule service)) { };
      tmpfiles.rules = words (line "a file of tmpfiles.d");
    };
    users = {
      users = option (named userName (submodule user)) { };
      groups = option (named userName (submodule group)) { };
    };
    environment = {
      systemPackages = option (listOf package) [ ];
      etc = option (named etcPath (submodule etcFile)) { };
      # values stand in quotes
      variables = option (named variable environmentValue) { };
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
