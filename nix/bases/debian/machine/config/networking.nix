/**
  The network of a machine: its names, its neighbours, its addresses and routes, and its firewall.

  # Inputs
  config: the evaluated configuration.
  interfaces: list of { device, address }: static IPv4 addresses with a prefix length, set by the VM runner's networks.
  neighbours: address → names, the other machines of a test.

  # Output
  Files of /etc. `nixgen/network` holds commands of ip(8), `nixgen/firewall.nft` a ruleset of nftables.
*/
{
  config,
  interfaces,
  neighbours,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    listToAttrs
    mapAttrs
    ;
  inherit (import ../text.nix) lines text;
  inherit (config.networking)
    domain
    hostName
    nameservers
    search
    ;

  # What ../../../../nixos/cluster.nix makes of the facts, as far as it means something here.
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

  ownNames = if domain == null then hostName else "${hostName}.${domain} ${hostName}";

  # Without `search`, short names are looked up below the machine's own domain.
  searchDomains = if search != [ ] || domain == null then search else [ domain ];

  ofInterface =
    device:
    let
      interface = config.networking.interfaces.${device};
    in
    map (each: "address add ${each.address}/${toString each.prefixLength} dev ${device}") (
      interface.ipv4.addresses ++ interface.ipv6.addresses
    )
    ++ (if interface.mtu == null then [ ] else [ "link set ${device} mtu ${toString interface.mtu}" ])
    ++ [ "link set ${device} up" ];

  route = gateway: if gateway == null then [ ] else [ "route add default via ${gateway}" ];

  # The networks of the runner, then what the machine declares of its own.
  commands =
    concatMap (each: [
      "address add ${each.address} dev ${each.device}"
      "link set ${each.device} up"
    ]) interfaces
    ++ concatMap ofInterface (attrNames config.networking.interfaces)
    ++ route config.networking.defaultGateway
    ++ route config.networking.defaultGateway6;
in
{
  hostname = lines [ hostName ];
  hosts = lines (
    [
      "127.0.0.1 localhost"
      "::1 localhost"
      "127.0.1.1 ${ownNames}"
    ]
    ++ hosts
  );
  "nsswitch.conf" = lines [
    "passwd: files systemd"
    "group: files systemd"
    "shadow: files"
    "hosts: files dns myhostname"
    "services: files"
    "protocols: files"
  ];
  "resolv.conf" = lines (
    map (address: "nameserver ${address}") nameservers
    ++ (if searchDomains == [ ] then [ ] else [ "search ${concatStringsSep " " searchDomains}" ])
  );
  "nixgen/network" = lines commands;
  "nixgen/firewall.nft" = text (import ./firewall.nix firewall);
}
