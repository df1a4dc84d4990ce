# The machines of the base, with builders that only remember what they were asked for.
{ machine }:
import machine {
  lib = { };
  pkgs = {
    bash = "/bash";
    writeText = name: text: {
      outPath = "/stub/${name}";
      inherit text;
    };
    writeTextFile = { name, ... }: "/stub/${name}";
  };
  debian = {
    system = "x86_64-linux";
    busybox = "/busybox";
    runBusybox =
      name: env: _:
      env // { outPath = "/stub/${name}"; };
    unpacked = name: "/unpacked/${name}";
    closureOf = names: names;
    roots = {
      _machine = [ "systemd" ];
      _kernel = [
        "linux-image-6.1.0-1-cloud-amd64"
        "linux-image-cloud-amd64"
      ];
    };
  };
}
