/**
  One machine's system: its /etc, its init, and what the initrd needs to know.

  # Inputs
  config: the evaluated configuration.
  subject: the machine's name for messages.
  interfaces: list of { device, address }: static IPv4 addresses with a prefix length.
  neighbours: address → names, the other machines of a test.
  userland, kernel: see userland.nix and boot/kernel.nix.

  # Output
  A derivation: $out/etc, $out/init, $out/sw (programs of environment.systemPackages), $out/root and $out/lower (what the
  initrd lays over each other to make `/`); and beside it `files`, what is in $out/etc (see etc.nix).
*/
{
  pkgs,
  debian,
  userland,
  kernel,
}:
{
  config,
  subject,
  interfaces ? [ ],
  neighbours ? { },
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    hashString
    listToAttrs
    mapAttrs
    ;

  fail = message: throw "${subject}: ${message}.";
  masked = import ./masked.nix;

  users = import ./users.nix {
    inherit fail;
    inherit (config.users) users groups;
  };

  # The journal names what runs by the program's file name.
  writeScript =
    name: text:
    let
      file = pkgs.writeTextFile {
        name = "unit-script-${name}";
        text = "#!${pkgs.bash}/bin/bash\nset -e\n${text}\n";
        executable = true;
        destination = "/bin/${name}";
      };
    in
    "${file}/bin/${name}";

  serviceDefaults = {
    enable = true;
    description = "";
    documentation = [ ];
    wantedBy = [ ];
    requiredBy = [ ];
    after = [ ];
    before = [ ];
    requires = [ ];
    wants = [ ];
    bindsTo = [ ];
    partOf = [ ];
    conflicts = [ ];
    environment = { };
    path = [ ];
    serviceConfig = { };
    unitConfig = { };
    preStart = "";
    postStart = "";
    script = "";
    restartIfChanged = true;
  };

  baseServices = mapAttrs (_: service: serviceDefaults // service) (
    import ./base-units.nix {
      shell = "/usr/bin/bash ${./shell.sh}";
      firewall = config.networking.firewall.enable;
    }
  );

  taken = filter (name: baseServices ? ${name}) (attrNames config.systemd.services);

  units =
    if taken != [ ] then
      fail "systemd.services.${builtins.head taken} is a service of the base system; choose another name"
    else
      import ./units.nix {
        inherit writeScript;
        services = baseServices // config.systemd.services;
      };

  prefixed =
    prefix: set:
    listToAttrs (
      map (name: {
        name = prefix + name;
        value = set.${name};
      }) (attrNames set)
    );

  masks =
    names:
    listToAttrs (
      map (name: {
        inherit name;
        value.link = "/dev/null";
      }) names
    );

  text = text: { inherit text; };
  lines = list: text (concatStringsSep "" (map (line: line + "\n") list));

  # What ../../../nixos/cluster.nix makes of the facts, as far as it means something here.
  inherit (config.nixgen) cluster ec2;
  members = if cluster == null then { } else cluster.members;
  memberHosts = listToAttrs (
    map (name: {
      name = members.${name};
      value = [ name ];
    }) (filter (name: members.${name} != null) (attrNames members))
  );
  ingress =
    protocol:
    map (rule: { inherit (rule) from to; }) (
      filter (rule: rule.protocol == protocol) (
        if ec2 == null then [ ] else concatMap (group: group.ingress) ec2.securityGroups
      )
    );
  firewall = config.networking.firewall // {
    allowedTCPPortRanges = config.networking.firewall.allowedTCPPortRanges ++ ingress "tcp";
    allowedUDPPortRanges = config.networking.firewall.allowedUDPPortRanges ++ ingress "udp";
  };

  # Lines of /etc/hosts: the machines of the test first, then what the configuration adds.
  hosts =
    let
      add = known: mapAttrs (address: names: (known.${address} or [ ]) ++ names);
      all = neighbours // add neighbours declared;
      declared = memberHosts // add memberHosts config.networking.hosts;
    in
    map (address: "${address} ${concatStringsSep " " all.${address}}") (attrNames all);

  shellQuote = value: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";

  profile = lines (
    [
      "export PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin"
    ]
    ++ map (name: "export ${name}=${shellQuote config.environment.variables.${name}}") (
      attrNames config.environment.variables
    )
  );

  # /etc/resolv.conf; without `search`, short names are looked up below the machine's own domain.
  resolver =
    let
      inherit (config.networking) domain nameservers search;
      domains = if search != [ ] || domain == null then search else [ domain ];
    in
    map (address: "nameserver ${address}") nameservers
    ++ (if domains == [ ] then [ ] else [ "search ${concatStringsSep " " domains}" ]);

  ownNames =
    let
      inherit (config.networking) hostName domain;
    in
    if domain == null then hostName else "${hostName}.${domain} ${hostName}";

  # Commands of ip(8): the networks of the runner, then what the machine declares of its own.
  network =
    let
      declared = config.networking.interfaces;
      ofInterface =
        device:
        let
          interface = declared.${device};
        in
        map (each: "address add ${each.address}/${toString each.prefixLength} dev ${device}") (
          interface.ipv4.addresses ++ interface.ipv6.addresses
        )
        ++ (if interface.mtu == null then [ ] else [ "link set ${device} mtu ${toString interface.mtu}" ])
        ++ [ "link set ${device} up" ];
      route = gateway: if gateway == null then [ ] else [ "route add default via ${gateway}" ];
    in
    concatMap (each: [
      "address add ${each.address} dev ${each.device}"
      "link set ${each.device} up"
    ]) interfaces
    ++ concatMap ofInterface (attrNames declared)
    ++ route config.networking.defaultGateway
    ++ route config.networking.defaultGateway6;

  # As NixOS writes them; null leaves a setting alone.
  sysctl =
    let
      settings = config.boot.kernel.sysctl;
      show = value: if value == false then "0" else toString value;
    in
    map (name: "${name}=${show settings.${name}}") (
      filter (name: settings.${name} != null) (attrNames settings)
    );

  authorizedKeys = concatMap (
    name:
    let
      inherit (config.users.users.${name}.openssh.authorizedKeys) keys;
    in
    if keys == [ ] then
      [ ]
    else
      [
        {
          name = "ssh/authorized_keys.d/${name}";
          value = lines keys;
        }
      ]
  ) (attrNames config.users.users);

  systemPackages = map (package: "${package}") config.environment.systemPackages;

  # Files with a mode are copied; init then gives them their mode and owner, which the store cannot hold.
  declared = mapAttrs (
    name: file:
    if file.text != null && file.source != null then
      fail "environment.etc.${name} has both `text` and `source`"
    else if file.text != null then
      text file.text
    else if file.source != null then
      {
        inherit (file) source;
        copy = file.mode != "symlink";
      }
    else
      fail "environment.etc.${name} has neither `text` nor `source`"
  ) config.environment.etc;

  files = {
    passwd = text users.passwd;
    group = text users.group;
    shadow = text users.shadow;
    hostname = lines [ config.networking.hostName ];
    hosts = lines (
      [
        "127.0.0.1 localhost"
        "::1 localhost"
        "127.0.1.1 ${ownNames}"
      ]
      ++ hosts
    );
    # Fixed, so that systemd does not take this for the first boot of a new machine.
    machine-id = lines [ (hashString "md5" "nixgen ${config.networking.hostName}") ];
    "nsswitch.conf" = lines [
      "passwd: files systemd"
      "group: files systemd"
      "shadow: files"
      "hosts: files dns myhostname"
      "services: files"
      "protocols: files"
    ];
    "resolv.conf" = lines resolver;
    fstab = text "";
    inherit profile;
    "nixgen/network" = lines network;
    "nixgen/firewall.nft" = text (import ./firewall.nix firewall);
    "systemd/journald.conf.d/nixgen.conf" = text "[Journal]\nStorage=volatile\nRateLimitBurst=0\n";
    "systemd/system/default.target".link = "/usr/lib/systemd/system/multi-user.target";
    "modules-load.d/nixos.conf" = lines config.boot.kernelModules;
    "sysctl.d/60-nixos.conf" = lines sysctl;
    "tmpfiles.d/00-nixgen.conf" = lines config.systemd.tmpfiles.rules;
  }
  // listToAttrs authorizedKeys
  // prefixed "systemd/system/" (
    masks (
      # the initrd loads what the base needs; what a machine asks for beyond that is systemd's to load
      filter (
        unit: !(unit == "systemd-modules-load.service" && config.boot.kernelModules != [ ])
      ) masked.units
    )
  )
  // prefixed "systemd/system-generators/" (masks masked.generators)
  // prefixed "systemd/system/" units
  // declared;

  etc = import ./etc.nix {
    inherit (debian) runBusybox;
    name = "etc-${config.networking.hostName}";
    inherit files;
  };

  owned = filter (name: config.environment.etc.${name}.mode != "symlink") (
    attrNames config.environment.etc
  );

  commands = [
    "chmod 0600 /etc/shadow"
  ]
  ++ concatMap (
    name:
    let
      file = config.environment.etc.${name};
      path = shellQuote "/etc/${name}";
      owner = "${toString (users.uidOf file.user)}:${toString (users.gidOf file.group)}";
    in
    [
      "chown ${owner} ${path}"
      "chmod ${file.mode} ${path}"
    ]
  ) owned
  ++ concatMap (home: [
    "mkdir -p ${shellQuote home.path}"
    "chown ${toString home.uid}:${toString home.gid} ${shellQuote home.path}"
    "chmod 0700 ${shellQuote home.path}"
  ]) users.homes;
in
# Options are checked when they are read, and nothing else reads these.
builtins.deepSeq
  [
    config.boot
    config.fileSystems
    config.networking.interfaces
    config.nixgen
    config.swapDevices
    config.system.stateVersion
  ]
  (
    (debian.runBusybox "machine-${config.networking.hostName}"
      {
        inherit (debian) busybox;
        inherit
          etc
          kernel
          userland
          systemPackages
          ;
        dataLinks = import ./data-links.nix {
          inherit (debian) runBusybox;
          roots = [ etc ] ++ systemPackages;
        };
        passAsFile = [ "commands" ];
        commands = concatStringsSep "" (map (line: line + "\n") commands);
      }
      ''
        set -eu
        mkdir -p "$out/root/usr/lib" "$out/root/usr" "$out/sw/bin"
        cp -dR "$etc" "$out/root/etc"
        chmod -R u+w "$out/root/etc"
        ln -s root/etc "$out/etc"
        ln -s "$kernel/lib/modules" "$out/root/usr/lib/modules"
        echo "$out/root:$dataLinks:$userland" > "$out/lower"

        # The first package that has a program of a name wins, as in PATH.
        for package in $systemPackages; do
          for program in "$package"/bin/* "$package"/sbin/*; do
            name=$(basename "$program")
            if [ -e "$program" ] && [ ! -e "$out/sw/bin/$name" ]; then
              ln -s "$program" "$out/sw/bin/$name"
            fi
          done
        done

        {
          echo "#!$busybox/bin/busybox sh"
          echo "# First program on the machine's own root: what a read-only store cannot hold, then systemd."
          echo "PATH=$busybox/bin"
          echo "ln -s $out /run/current-system"
          cat "$commandsPath"
          echo "exec /usr/lib/systemd/systemd"
        } > "$out/init"
        chmod 0755 "$out/init"
      ''
    )
    // {
      inherit files;
    }
  )
