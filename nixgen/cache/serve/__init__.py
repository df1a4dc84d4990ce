"""Serves a cache: over HTTP, from an embedded S3 emulator, and as a Nix channel."""
