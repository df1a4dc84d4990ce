"""Nix's command line: its commands, and what each version of Nix can do."""
