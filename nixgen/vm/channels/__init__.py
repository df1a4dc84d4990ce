"""Connections to a machine: console, shell, QEMU's monitor, and the network switch."""
