/**
  The builder of everything: one static executable, and its applets as links.

  `seed` is a fixed output that `nixgen build` adds to the store by content, because nothing inside a build could
  unpack the first package. Its own builder runs only when that did not happen, and works where Debian's dpkg-deb is
  visible to builds.

  # Inputs
  system, locked: the lock's busybox entry.
  deb: the busybox-static package.

  # Output
  { seed, busybox }: a folder with bin/busybox alone (busybox goes by the name it is called by, so the store path
  itself cannot be the executable), and the same with a link per applet.
*/
{
  system,
  locked,
  deb,
}:
let
  seed = derivation {
    name = "busybox-seed";
    inherit system deb;
    builder = "/bin/sh";
    args = [
      "-c"
      ''
        /bin/mkdir -p "$out/bin" &&
          for place in ./bin/busybox ./usr/bin/busybox; do
            /usr/bin/dpkg-deb --fsys-tarfile "$deb" 2>/dev/null | /bin/tar -xO "$place" > "$out/bin/busybox" 2>/dev/null
            if [ -s "$out/bin/busybox" ]; then /bin/chmod 755 "$out/bin/busybox"; exit 0; fi
          done
        echo "the static busybox that unpacks packages is not in the store; run nixgen build, which puts it there" >&2
        exit 1
      ''
    ];
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = locked.narHash;
  };
in
{
  inherit seed;
  busybox = derivation {
    name = "busybox";
    inherit system seed;
    builder = "${seed}/bin/busybox";
    args = [
      "sh"
      "-c"
      ''
        busybox=$seed/bin/busybox
        $busybox mkdir -p "$out/bin"
        cd "$out/bin"
        $busybox cp "$busybox" busybox
        for applet in $($busybox --list); do
          [ "$applet" = busybox ] || $busybox ln -s busybox "$applet"
        done
      ''
    ];
  };
}
