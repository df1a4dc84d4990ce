"""Connections to a machine: its console, its shell, QEMU's monitor, and its network."""
