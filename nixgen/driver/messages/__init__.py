"""What Nix prints: its log records, traces and error messages."""
