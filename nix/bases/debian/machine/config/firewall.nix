/**
  `networking.firewall` as an nftables ruleset: what comes in is dropped, except over lo, as an answer, as ICMP, and
  to the ports that are declared. As on NixOS, what goes out is not filtered.

  # Inputs
  { allowedTCPPorts, allowedTCPPortRanges, allowedUDPPorts, allowedUDPPortRanges }; ranges are { from, to }.
*/
firewall:
let
  inherit (builtins) concatStringsSep sort;

  line = protocol: ports: "    ${protocol} dport ${ports} accept\n";

  accept =
    protocol: ports: ranges:
    (
      if ports == [ ] then
        ""
      else
        line protocol "{ ${concatStringsSep ", " (map toString (sort (a: b: a < b) ports))} }"
    )
    # a line each: the elements of one set must not overlap
    + concatStringsSep "" (
      map (each: line protocol "${toString each.from}-${toString each.to}") ranges
    );
in
''
  table inet nixgen {
    chain input {
      type filter hook input priority filter; policy drop;
      iifname "lo" accept
      ct state { established, related } accept
      meta l4proto { icmp, ipv6-icmp } accept
''
+ accept "tcp" firewall.allowedTCPPorts firewall.allowedTCPPortRanges
+ accept "udp" firewall.allowedUDPPorts firewall.allowedUDPPortRanges
+ ''
    }
  }
''
