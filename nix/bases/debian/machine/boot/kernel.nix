/**
  Debian's cloud kernel: the image and the modules that a virtual machine uses.

  # Inputs
  package: the unpacked linux-image package (boot/vmlinuz-VERSION, lib/modules/VERSION).
  userland: see ../userland.nix; its depmod writes the binary indexes that libkmod wants, busybox's does not.

  # Output
  A derivation: $out/vmlinuz, $out/lib/modules/VERSION with the indexes of depmod, and $out/initrd-modules, the
  files that the initrd loads, one a line, in an order that respects dependencies.
*/
{
  runBusybox,
  package,
  userland,
}:
let
  modules = import ./modules.nix;
in
runBusybox "linux"
  {
    inherit package userland;
    order = ./load-order.awk;
    initrd = toString modules.initrd;
    wanted = toString (modules.initrd ++ modules.available);
  }
  ''
    set -eu
    cd "$package/lib/modules"
    version=$(echo *)
    mkdir -p "$out/lib/modules/$version"
    cp "$package/boot/vmlinuz-$version" "$out/vmlinuz"

    # The userland's programs expect to be at /: run this one through its own loader.
    libraries=$(echo "$userland"/usr/lib/*-linux-gnu)
    loader=$(echo "$libraries"/ld-linux-*.so.*)
    depmod() { "$loader" --library-path "$libraries" --argv0 depmod "$userland/usr/bin/kmod" "$@"; }

    # depmod writes beside what it reads, so it reads through a writable copy.
    cd "$NIX_BUILD_TOP"
    mkdir -p all/lib/modules
    cp -R "$package/lib/modules/$version" "all/lib/modules/$version"
    chmod -R u+w all
    depmod -b "$PWD/all" "$version"

    files() {
      awk -v names="$1" -f "$order" \
        "all/lib/modules/$version/modules.builtin" "all/lib/modules/$version/modules.dep"
    }

    # Debian 13 compresses modules; the initrd and the store are better off with plain ones.
    files "$initrd" | sed "s,^,lib/modules/$version/,; s/\.xz$//" > "$out/initrd-modules"
    files "$wanted" > kept
    cd "all/lib/modules/$version"
    while read -r file; do
      mkdir -p "$out/lib/modules/$version/$(dirname "$file")"
      case $file in
        *.xz) unxz -c "$file" > "$out/lib/modules/$version/''${file%.xz}" ;;
        *) cp "$file" "$out/lib/modules/$version/$file" ;;
      esac
    done < "$NIX_BUILD_TOP/kept"
    cp modules.builtin modules.builtin.modinfo modules.order "$out/lib/modules/$version/"
    chmod u+w "$out/lib/modules/$version"/*
    depmod -b "$out" "$version"
  ''
