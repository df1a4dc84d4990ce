"""Fetch inputs and format Nix files."""
