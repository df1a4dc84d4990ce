/**
  Service units as NixOS writes them: one file in INI form and links for `wantedBy` and `requiredBy`.

  # Inputs
  writeScript: name: text: path of an executable shell script, in which a failing line is fatal.
  services: the value of `systemd.services`.

  # Output
  An attribute set of paths below /etc/systemd/system: `{ text = …; }` for a unit, `{ link = …; }` for a link.
*/
{ writeScript, services }:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    foldl'
    isBool
    isInt
    isList
    listToAttrs
    ;

  # Where the base system's own programs are; NixOS appends its coreutils and the like here.
  systemPath = "/usr/sbin:/usr/bin";

  showValue =
    value:
    if isBool value then
      if value then "true" else "false"
    else if isInt value then
      toString value
    else
      "${value}";

  keys =
    settings:
    concatMap (
      name:
      let
        value = settings.${name};
      in
      map (each: "${name}=${showValue each}") (if isList value then value else [ value ])
    ) (attrNames settings);

  section = name: lines: concatStringsSep "" (map (line: line + "\n") ([ "[${name}]" ] ++ lines));

  # systemd.exec(5): quotes protect spaces, and C-style escapes hold between them.
  environmentLine = name: value: "Environment=" + builtins.toJSON "${name}=${showValue value}";

  searchPath =
    packages:
    let
      below = folder: map (package: "${package}/${folder}") packages;
      directories = below "bin" ++ below "sbin";
    in
    concatStringsSep ":" (directories ++ [ systemPath ]);

  names = list: if list == [ ] then null else concatStringsSep " " list;

  given =
    settings: removeAttrs settings (filter (name: settings.${name} == null) (attrNames settings));

  # A snippet becomes a program of its own.
  program =
    name: role: text:
    writeScript "${name}-${role}" text;

  asList = value: if isList value then value else [ value ];

  # The command of an option, before those that serviceConfig lists for the same key.
  withCommand =
    key: command: settings:
    settings
    // {
      ${key} = [ command ] ++ asList (settings.${key} or [ ]);
    };

  serviceSettings =
    name: service:
    let
      steps = [
        {
          key = "ExecStart";
          role = "start";
          text = service.script;
        }
        {
          key = "ExecStartPre";
          role = "pre-start";
          text = service.preStart;
        }
        {
          key = "ExecStartPost";
          role = "post-start";
          text = service.postStart;
        }
      ];
    in
    foldl' (
      settings: step:
      if step.text == "" then
        settings
      else
        withCommand step.key (program name step.role step.text) settings
    ) service.serviceConfig steps;

  unitText =
    name: service:
    let
      environment = {
        PATH = searchPath service.path;
      }
      // given service.environment;
    in
    section "Unit" (
      keys (
        given {
          After = names service.after;
          Before = names service.before;
          BindsTo = names service.bindsTo;
          Conflicts = names service.conflicts;
          Description = if service.description == "" then null else service.description;
          Documentation = names service.documentation;
          PartOf = names service.partOf;
          Requires = names service.requires;
          Wants = names service.wants;
        }
        // service.unitConfig
      )
    )
    + "\n"
    + section "Service" (
      map (variable: environmentLine variable environment.${variable}) (attrNames environment)
      ++ (if service.restartIfChanged then [ ] else [ "X-RestartIfChanged=false" ])
      ++ keys (serviceSettings name service)
    );

  links =
    name: service:
    let
      below = suffix: target: {
        name = "${target}.${suffix}/${name}.service";
        value.link = "../${name}.service";
      };
    in
    map (below "wants") service.wantedBy ++ map (below "requires") service.requiredBy;

  unit =
    name:
    let
      service = services.${name};
    in
    if service.enable then
      [
        {
          name = "${name}.service";
          value.text = unitText name service;
        }
      ]
      ++ links name service
    else
      # As NixOS: a disabled unit is masked, so that nothing can pull it in.
      [
        {
          name = "${name}.service";
          value.link = "/dev/null";
        }
      ];
in
listToAttrs (concatMap unit (attrNames services))
