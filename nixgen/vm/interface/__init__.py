"""The interface of test scripts: the names and methods of the NixOS test driver."""
