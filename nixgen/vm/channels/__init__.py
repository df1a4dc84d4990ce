"""Ways to talk to a machine: console, shell, QMP, and the network switch."""
