"""Scheduled runs of a project's verbs, on a forge, in a cluster or by systemd."""
