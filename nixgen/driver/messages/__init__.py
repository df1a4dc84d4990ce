"""The output of Nix: log records, traces and error messages."""
