"""A machine under QEMU."""
