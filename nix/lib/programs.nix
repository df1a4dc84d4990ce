/**
  Programs that a configuration starts, and the check that they exist.

  A store path is only a promise until it is built: `''${pkgs.redis}/bin/redis` is sound Nix, though the program is called
  redis-server. Systemd says so when the machine has booted, and a container when it has been deployed. A build that
  depends on this check fails before either.

  # Inputs
  runCommand: name: variables: script → derivation, with a POSIX shell, awk and ls on its PATH.

  # Output
  ofServices: `systemd.services` → programs: first words of Exec… lines, and what the lines and the environment mention.
  ofUsers: `users.users` → programs: their shells.
  ofImage: the OCI image configuration → programs: entrypoint, health check, environment.
  ofText: where: text → programs: each `STORE_PATH/bin/NAME` in it, such as a test's script has.
  check: { subject, programs, root ? "" } → a list with a derivation that is built when every program exists, or an empty
    list. `root` is the store path of an image's own root, for programs that are not in the store.

  A program is { where, file }: the place that starts it, for messages, and its absolute path.
*/
{ runCommand }:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    hasContext
    head
    isList
    isString
    match
    replaceStrings
    split
    storeDir
    substring
    tail
    ;

  asList = value: if isList value then value else [ value ];

  # Captures of a regular expression lose what the text depends on; an empty part of the text brings it back.
  withContext = text: part: substring 0 0 text + part;

  # The first word of a command line as systemd reads it, without the prefixes of systemd.service(5); null for one that
  # is not a path in the store. Its first 1,000 characters are enough, and a regular expression over more may be too
  # deep for Nix.
  firstWord =
    command:
    let
      text = "${command}";
      found = match "[[:space:]@:+!|-]*[\"']?(${storeDir}/[^\"'[:space:]\\]+)([\"'[:space:]].*)?" (
        replaceStrings [ "\n" ] [ " " ] (substring 0 1000 text)
      );
    in
    if found == null then
      null
    else
      withContext text (replaceStrings [ "%%" "$$" ] [ "%" "$" ] (head found));

  # Names that a variable, a pattern or a specifier of systemd goes on with are not known before they run.
  mention =
    "(${storeDir}/[a-z0-9]{32}-[A-Za-z0-9+._?=-]+/s?bin/[A-Za-z0-9+._-]*[A-Za-z0-9+])"
    + "([^]A-Za-z0-9+_/$*?{%[\\-]|$)";

  ofText =
    where: text:
    let
      plain = "${text}";
    in
    if hasContext plain then
      map (found: {
        inherit where;
        file = withContext plain (head found);
      }) (filter isList (split mention plain))
    else
      [ ];

  commandsOf =
    where: settings:
    concatMap (
      key:
      concatMap (
        command:
        let
          place = "${where}, ${key}";
          file = firstWord command;
        in
        (
          if file == null then
            [ ]
          else
            [
              {
                where = place;
                inherit file;
              }
            ]
        )
        ++ ofText place command
      ) (asList settings.${key})
    ) (filter (key: match "Exec[A-Z].*" key != null) (attrNames settings));

  environmentOf =
    where: environment:
    concatMap (
      name:
      if environment.${name} == null then
        [ ]
      else
        ofText "${where}, variable ${name}" (toString environment.${name})
    ) (attrNames environment);

  inStore = file: match "${storeDir}/.*" file != null;
in
{
  inherit ofText;

  ofServices =
    services:
    concatMap (
      name:
      let
        service = services.${name};
      in
      commandsOf "service ${name}" service.serviceConfig
      ++ environmentOf "service ${name}" service.environment
    ) (filter (name: services.${name}.enable) (attrNames services));

  ofUsers =
    users:
    concatMap (
      name:
      let
        given = users.${name}.shell;
        # a package is a shell by the program that nixpkgs names in shellPath, and on Debian by its main one
        shell =
          if given ? outPath then
            "${given}${given.shellPath or "/bin/${given.meta.mainProgram or given.pname or "sh"}"}"
          else
            given;
      in
      if isString shell && inStore shell then
        [
          {
            where = "user ${name}, shell";
            file = shell;
          }
        ]
      else
        [ ]
    ) (attrNames users);

  ofImage =
    config:
    let
      started =
        (if config.Entrypoint or null == null then [ ] else config.Entrypoint)
        ++ (if config.Cmd or null == null then [ ] else config.Cmd);
      test = config.Healthcheck.Test or [ ];
      first =
        where: words:
        if words == [ ] then
          [ ]
        else
          [
            {
              inherit where;
              file = head words;
            }
          ];
    in
    filter (program: match "/.*" program.file != null) (
      first "entrypoint" started
      ++ (if test != [ ] && head test == "CMD" then first "health check" (tail test) else [ ])
    )
    ++ ofText "environment" (concatStringsSep " " (config.Env or [ ]));

  check =
    {
      subject,
      programs,
      root ? "",
    }:
    let
      words = filter (word: isString word && word != "") (split "[^A-Za-z0-9]+" subject);
    in
    if programs == [ ] then
      [ ]
    else
      [
        (runCommand "programs-of-${concatStringsSep "-" words}" {
          inherit subject root;
          wanted = concatStringsSep "\n" (map (program: "${program.where}\t${program.file}") programs);
          passAsFile = [ "wanted" ];
        } ". ${./programs.sh}")
      ];
}
