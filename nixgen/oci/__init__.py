"""OCI images from Nix closures: layered jointly, written without a tarball in the store, run by an engine."""
