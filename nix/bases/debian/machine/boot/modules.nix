/**
  Kernel modules of a machine, as data. What they depend on follows from the kernel's own modules.dep.
*/
{
  # Loaded by the initrd, in this order.
  initrd = [
    "virtio_pci"
    "virtio_blk"
    "squashfs"
    "overlay"
    "virtio_console"
    "virtio_net"
    "virtio_rng"
    # ../system.nix reads the secrets of a test from it
    "qemu_fw_cfg"
  ];

  # Kept on the machine, for the kernel to load by itself. A name that ends in `/` is a whole directory.
  available = [
    "autofs4"
    "binfmt_misc"
    "bridge"
    "br_netfilter"
    "dummy"
    "fuse"
    "loop"
    "tun"
    "veth"
    "virtio_balloon"
    "vsock"
    "kernel/net/ipv4/netfilter/"
    "kernel/net/ipv6/netfilter/"
    "kernel/net/netfilter/"
  ];
}
