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

  machine = {
    networking = {
      hostName = option str name;
      hosts = option (attrsOf (listOf str)) { };
      firewall = {
        enable = option bool true;
        allowedTCPPorts = option (listOf port) [ ];
        allowedUDPPorts = option (listOf port) [ ];
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
    # Checks of the test script that NixOS makes and this base does not.
    skipTypeCheck = option bool false;
    skipLint = option bool false;
  };
}
