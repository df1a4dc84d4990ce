#!/bin/sh
# First program of a machine, in the initrd: find the store, make a root from it, hand over.
#
# /dev/vda is a squashfs whose top level is the base names of store paths. `nixgen.toplevel=` on the kernel
# command line says which of them is this machine's.

fail() {
  echo "nixgen: cannot boot: $*" >/dev/console
  # nothing to fall back to; the exit of init panics the kernel, and panic=-1 ends the machine
  exit 1
}

mount -t devtmpfs devtmpfs /dev || fail "no /dev"
mount -t proc proc /proc || fail "no /proc"
mount -t sysfs sysfs /sys || fail "no /sys"
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /run || fail "no /run"

for module in /modules/*.ko; do
  insmod "$module" || fail "the kernel does not take $module"
done

toplevel=
for word in $(cat /proc/cmdline); do
  case $word in
    nixgen.toplevel=*) toplevel=${word#*=} ;;
  esac
done
[ -n "$toplevel" ] || fail "nixgen.toplevel= is not on the kernel command line"

# the disk's driver answers within milliseconds, but not at once
tries=0
until [ -b /dev/vda ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || fail "/dev/vda did not appear; is the store the first virtio-blk disk?"
  sleep 0.05
done
mount -t squashfs -o ro /dev/vda /nix/store || fail "/dev/vda is not a squashfs"
[ -e "$toplevel/init" ] || fail "$toplevel is not in the store on /dev/vda"

# The root is written to memory only; below it lie this machine's files, then the base system's.
mkdir -p /run/nixgen
mount -t tmpfs -o mode=0755 tmpfs /run/nixgen || fail "no memory for the root"
mkdir -p /run/nixgen/upper /run/nixgen/work
lower=$(cat "$toplevel/lower")
mount -t overlay -o "lowerdir=$lower,upperdir=/run/nixgen/upper,workdir=/run/nixgen/work" root /root ||
  fail "no overlay of $lower"
mkdir -p /root/nix/store /root/dev /root/proc /root/sys /root/run
for place in /nix/store /dev /proc /sys; do
  mount -o move "$place" "/root$place" || fail "cannot move $place"
done
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /root/run
exec switch_root /root "$toplevel/init"
