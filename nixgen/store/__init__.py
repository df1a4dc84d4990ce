"""Values of the Nix store: paths and digests."""
