"""Fetching inputs and formatting Nix files."""
