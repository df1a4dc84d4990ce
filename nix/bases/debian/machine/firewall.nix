/**
  `networking.firewall` as an nftables ruleset: what comes in is dropped, except over lo, as an answer, as ICMP, and
  to the ports that are declared. As on NixOS, what goes out is not filtered.
*/
firewall:
let
  inherit (builtins) concatStringsSep sort;

  accept =
    protocol: ports:
    let
      numbers = concatStringsSep ", " (map toString (sort (a: b: a < b) ports));
    in
    if ports == [ ] then
      ""
    else
      "    ${protocol} dport { ${numbers} } accept\n";
in
''
  table inet nixgen {
    chain input {
      type filter hook input priority filter; policy drop;
      iifname "lo" accept
      ct state { established, related } accept
      meta l4proto { icmp, ipv6-icmp } accept
''
+ accept "tcp" firewall.allowedTCPPorts
+ accept "udp" firewall.allowedUDPPorts
+ ''
    }
  }
''
