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
    concatStringsSep
    deepSeq
    hashString
    substring
    ;
  inherit (import ./text.nix) lines text;
  inherit (config.networking) hostName;

  fail = message: throw "${subject}: ${message}.";

  users = import ./config/users.nix {
    inherit fail;
    inherit (config.users) users groups;
  };

  environment = import ./config/environment.nix { inherit fail config; };

  files = {
    fstab = text "";
    # Fixed, so that systemd does not take this for the first boot of a new machine.
    machine-id = lines [ (hashString "md5" "nixgen ${hostName}") ];
    inherit (environment) profile;
  }
  // import ./config/accounts.nix { inherit config users; }
  // import ./config/kernel.nix { inherit config; }
  // import ./config/networking.nix { inherit config interfaces neighbours; }
  // import ./services { inherit pkgs fail config; }
  # Last: a file that the configuration declares takes the place of the base's own.
  // environment.declared;

  etc = import ./etc.nix {
    inherit (debian) runBusybox;
    name = "etc-${hostName}";
    inherit files;
  };

  systemPackages = map (package: "${package}") config.environment.systemPackages;

  programs = import ../../../lib/programs.nix { inherit (pkgs) runCommand; };

  # Options are checked when they are read, and nothing else reads these.
  checked = deepSeq [
    config.boot
    config.fileSystems
    config.networking.interfaces
    config.nixgen
    config.swapDevices
    config.system.stateVersion
  ];
in
checked (
  (debian.runBusybox "machine-${hostName}"
    {
      inherit (debian) busybox;
      inherit
        etc
        kernel
        userland
        systemPackages
        ;
      dataLinks = import ./data-links.nix {
        inherit (debian) runBusybox absolutePaths;
        inherit userland;
        roots = [ etc ] ++ config.environment.systemPackages;
        # Packages that only a unit's text names are known by it.
        texts = map (file: substring 0 0 (file.text or "")) (builtins.attrValues files);
      };
      # Not read: a machine whose programs do not exist is not built.
      programs = programs.check {
        inherit subject;
        programs = programs.ofServices config.systemd.services ++ programs.ofUsers config.users.users;
      };
      secrets = ./boot/secrets.sh;
      passAsFile = [ "commands" ];
      commands = concatStringsSep "" (
        map (line: line + "\n") (import ./config/activation.nix { inherit config users; })
      );
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
        cat "$secrets"
        echo "exec /usr/lib/systemd/systemd"
      } > "$out/init"
      chmod 0755 "$out/init"
    ''
  )
  // {
    inherit files;
  }
)
