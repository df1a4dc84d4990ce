/**
  Users and groups that Debian's own units, udev rules and tmpfiles name, with Debian's numbers where it
  fixes them (base-passwd), and numbers below 200 where Debian allocates at installation.
*/
let
  system = uid: gecos: {
    inherit uid gecos;
    gid = uid;
    home = "/";
    shell = "/usr/sbin/nologin";
  };
in
{
  users = {
    root = {
      uid = 0;
      gid = 0;
      gecos = "System administrator";
      home = "/root";
      shell = "/bin/bash";
    };
    messagebus = system 101 "D-Bus";
    systemd-network = system 102 "systemd network management";
    systemd-resolve = system 103 "systemd resolver";
    nobody = system 65534 "Unprivileged";
  };

  groups = {
    root = 0;
    daemon = 1;
    adm = 4;
    tty = 5;
    disk = 6;
    lp = 7;
    wheel = 10;
    kmem = 15;
    dialout = 20;
    cdrom = 24;
    tape = 26;
    audio = 29;
    utmp = 43;
    video = 44;
    users = 100;
    messagebus = 101;
    systemd-network = 102;
    systemd-resolve = 103;
    systemd-journal = 104;
    input = 105;
    sgx = 106;
    kvm = 107;
    render = 108;
    nogroup = 65534;
  };
}
