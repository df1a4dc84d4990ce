/**
  The base system of machines: Debian packages, unpatched, as one tree in Debian's own layout.

  Services run from the store, with patched packages; systemd, udev and the tools that they call run from this
  tree, where everything is at the place its programs have compiled in.

  # Inputs
  packages: unpacked packages, later ones over earlier ones.

  # Output
  A derivation with usr/, etc/, var/ and the merged bin, sbin, lib, lib64 (links into usr/).
*/
{ runBusybox, packages }:
runBusybox "debian-userland"
  {
    packages = toString packages;
    # What no program of a test machine reads (half of the size), and D-Bus at boot: its socket starts it.
    leaveOut = toString [
      "./boot/*"
      "./usr/include/*"
      "./usr/lib/x86_64-linux-gnu/gconv/*"
      "./usr/lib/aarch64-linux-gnu/gconv/*"
      "./usr/share/bash-completion/*"
      "./usr/share/bug/*"
      "./usr/share/doc/*"
      "./usr/share/doc-base/*"
      "./usr/share/info/*"
      "./usr/share/lintian/*"
      "./usr/share/locale/*"
      "./usr/share/man/*"
      "./usr/share/zsh/*"
      "./lib/udev/hwdb.d/*"
      "./usr/lib/udev/hwdb.d/*"
      "./lib/systemd/system/multi-user.target.wants/dbus.service"
      "./usr/lib/systemd/system/multi-user.target.wants/dbus.service"
      "./var/*"
    ];
  }
  ''
    set -eu
    set -f
    excluded=
    for pattern in $leaveOut; do excluded="$excluded ! -path $pattern"; done
    mkdir -p "$out"
    for directory in bin sbin lib lib64; do
      mkdir -p "$out/usr/$directory"
      ln -s "usr/$directory" "$out/$directory"
    done
    for package in $packages; do
      cd "$package"
      # Only files are packed: a directory's read-only mode must not reach the tree while it grows.
      find . ! -type d $excluded | LC_ALL=C sort | cpio -o -H newc 2>/dev/null > "$NIX_BUILD_TOP/files"
      (cd "$out" && cpio -idu < "$NIX_BUILD_TOP/files" 2>/dev/null)
    done
    for directory in \
      dev etc home mnt nix/store proc root run srv sys tmp \
      var/cache var/empty var/lib var/log var/tmp; do
      mkdir -p "$out/$directory"
    done
    ln -s ../run "$out/var/run"
    ln -s ../run/lock "$out/var/lock"
    # update-alternatives would make these from packages' scripts, which are never run.
    ln -sf bash "$out/usr/bin/sh"
    [ -e "$out/usr/bin/awk" ] || ln -s mawk "$out/usr/bin/awk"
  ''
