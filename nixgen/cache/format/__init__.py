"""The formats that Nix fixes for a binary cache: archives, narinfo files, listings, signatures."""
