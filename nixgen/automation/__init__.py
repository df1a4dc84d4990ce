"""A project's verbs, run by somebody else: scheduled jobs of a forge, a cluster or systemd."""
