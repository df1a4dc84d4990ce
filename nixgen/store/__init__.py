"""Plain values of the Nix store: paths and digests."""
