/**
  One package file, by its hash.

  The mirror is read from the environment (NIXGEN_DEBIAN_MIRRORS, which the driver sets) and has no influence on the
  store path: that of a fixed output follows from its name and hash. Without a mirror everything still evaluates,
  and what is in the store or a binary cache still works.

  # Inputs
  name, locked: an entry of the lock's packages.
  complain: name → message → a builder that fails with the message.

  # Output
  A derivation of the .deb.
*/
{ complain }:
let
  given = builtins.getEnv "NIXGEN_DEBIAN_MIRRORS";
  mirrors = if given == "" then { } else builtins.fromJSON given;
  sanitised =
    text:
    builtins.concatStringsSep "_" (
      builtins.filter builtins.isString (builtins.split "[^A-Za-z0-9+._=-]+" text)
    );
in
name: locked:
let
  mirror = mirrors.${locked.archive} or null;
  output = {
    name = "${sanitised name}_${sanitised locked.version}.deb";
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = locked.sha256;
  };
  download = {
    builder = "builtin:fetchurl";
    system = "builtin";
    url = "${mirror}/${locked.path}";
    executable = false;
    unpack = false;
    preferLocalBuild = true;
    impureEnvVars = [
      "http_proxy"
      "https_proxy"
      "ftp_proxy"
      "all_proxy"
      "no_proxy"
    ];
  };
in
derivation (
  output
  // (
    if mirror != null then
      download
    else
      complain ''
        ${name} ${locked.version} is not in the store, and no mirror is known.
        Build with `nixgen build`, which reads apt's configuration, or set
          NIXGEN_DEBIAN_MIRRORS='{"debian": "http://HOST/debian", "debian-security": "http://HOST/debian-security"}'
      ''
  )
)
