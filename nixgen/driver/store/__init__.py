"""The local store: what it holds, read from its database or asked of Nix."""
