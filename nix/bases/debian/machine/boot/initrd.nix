/**
  The initial RAM disk: busybox, the modules to reach the disk, and init.sh.

  It is the same for all machines of one kernel. Equal inputs give equal bytes: names are sorted, and times,
  owners, inode and device numbers are fixed.

  # Inputs
  busybox: derivation with a static bin/busybox.
  kernel: see kernel.nix.

  # Output
  A derivation whose $out/initrd is an uncompressed newc archive (Linux's early user space format).
*/
{
  runBusybox,
  busybox,
  kernel,
}:
runBusybox "initrd"
  {
    inherit busybox kernel;
    init = ./init.sh;
  }
  ''
    set -eu
    mkdir -p root/bin root/dev root/proc root/sys root/run root/nix/store root/root "$out"
    cd root
    cp "$busybox/bin/busybox" bin/busybox
    for applet in sh mount insmod mkdir switch_root cat sleep; do ln -s busybox "bin/$applet"; done
    cp "$init" init
    chmod 0755 init bin/busybox

    number=100
    while read -r module; do
      mkdir -p modules
      cp "$kernel/$module" "modules/$number-$(basename "$module")"
      number=$((number + 1))
    done < "$kernel/initrd-modules"

    find . -exec touch -h -d @1 {} +
    find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --ignore-devno --renumber-inodes > "$out/initrd"
  ''
