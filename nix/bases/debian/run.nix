/**
  A derivation whose builder is a script for busybox.

  # Inputs
  name: of the store path.  env: variables for the script.  script: POSIX shell; stops at the first error.

  # Example
  runBusybox "greeting" { who = "World"; } ''echo "Hello $who" > "$out"''
*/
{ system, busybox }:
name: env: script:
derivation (
  {
    inherit name system;
    builder = "${busybox}/bin/busybox";
    args = [
      "sh"
      "-euc"
      script
    ];
    PATH = "${busybox}/bin";
    LC_ALL = "C";
  }
  // env
)
