# A module that test_machine_cases.nix imports by path.
{ networking.firewall.allowedTCPPorts = [ 2 ]; }
