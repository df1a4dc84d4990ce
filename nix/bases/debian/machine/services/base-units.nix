/**
  The units that every machine of this base has, in the shape of `systemd.services`, without defaults.

  # Inputs
  shell: store path of the program behind the runner's port.
  firewall: whether there is a firewall.
*/
{ shell, firewall }:
{
  nixgen-network = {
    description = "Addresses of the machine's virtual networks";
    wantedBy = [ "multi-user.target" ];
    before = [
      "network.target"
      "network-online.target"
    ];
    wants = [ "network.target" ];
    unitConfig.DefaultDependencies = false;
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStart = "/usr/sbin/ip -force -batch /etc/nixgen/network";
    };
  };

  # docs/contracts.md §5: the port `nixgen.shell`, which the VM runner drives.
  nixgen-shell = {
    description = "Root shell of the test driver";
    wantedBy = [ "multi-user.target" ];
    after = [
      "nixgen-network.service"
      "sysinit.target"
    ];
    requires = [ "sysinit.target" ];
    environment = {
      HOME = "/root";
      USER = "root";
    };
    unitConfig = {
      ConditionKernelCommandLine = "nixgen.shell=1";
      # Ordered after sysinit.target only: a broken socket or mount must still leave a way in.
      DefaultDependencies = false;
    };
    serviceConfig = {
      ExecStart = shell;
      WorkingDirectory = "/tmp";
      # The port reports an end of file for as long as nobody is at its other end.
      Restart = "always";
      RestartSec = "200ms";
      KillSignal = "SIGHUP";
    };
  };
}
// (
  if firewall then
    {
      firewall = {
        description = "Firewall";
        wantedBy = [ "multi-user.target" ];
        before = [ "network.target" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = "/usr/sbin/nft -f /etc/nixgen/firewall.nft";
          ExecStop = "/usr/sbin/nft destroy table inet nixgen";
        };
      };
    }
  else
    { }
)
