"""Machine tests: QEMU, virtual networks, the NixOS test driver's interface, reports."""
