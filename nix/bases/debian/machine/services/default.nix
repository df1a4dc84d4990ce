/**
  What systemd starts on a machine: the services of the base system and of the configuration, without the units of
  Debian that a machine does not need.

  # Inputs
  pkgs: writeTextFile and bash of it make the scripts of services.
  fail: message → throws, naming the machine.
  config: the evaluated configuration.

  # Output
  Files of /etc.
*/
{
  pkgs,
  fail,
  config,
}:
let
  inherit (builtins)
    attrNames
    filter
    head
    listToAttrs
    mapAttrs
    ;
  inherit (import ../text.nix)
    below
    lines
    link
    text
    ;

  masked = import ./masked.nix;
  masks =
    names:
    listToAttrs (
      map (name: {
        inherit name;
        value = link "/dev/null";
      }) names
    );

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

  # The options of a service that base-units.nix does not set.
  defaults = {
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

  base = mapAttrs (_: service: defaults // service) (
    import ./base-units.nix {
      shell = "/usr/bin/bash ${./shell.sh}";
      firewall = config.networking.firewall.enable;
    }
  );

  taken = filter (name: base ? ${name}) (attrNames config.systemd.services);

  units =
    if taken != [ ] then
      fail "systemd.services.${head taken} is a service of the base system; choose another name"
    else
      import ./units.nix {
        inherit writeScript;
        services = base // config.systemd.services;
      };
in
{
  "systemd/journald.conf.d/nixgen.conf" = text "[Journal]\nStorage=volatile\nRateLimitBurst=0\n";
  "systemd/system/default.target" = link "/usr/lib/systemd/system/multi-user.target";
  "tmpfiles.d/00-nixgen.conf" = lines config.systemd.tmpfiles.rules;
}
// below "systemd/system" (
  masks (
    # the initrd loads what the base needs; what a machine asks for beyond that is systemd's to load
    filter (
      unit: !(unit == "systemd-modules-load.service" && config.boot.kernelModules != [ ])
    ) masked.units
  )
)
// below "systemd/system-generators" (masks masked.generators)
// below "systemd/system" units
