"""The NixOS test driver's interface for test scripts."""
