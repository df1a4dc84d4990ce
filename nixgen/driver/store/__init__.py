"""The local store: metadata of its paths, from its database or from Nix."""
