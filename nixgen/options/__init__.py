"""Check the values of a project against a list of NixOS options that is committed beside it.

The check runs without Nix. Only a value that NixOS is certain to refuse is a problem, see
docs/design.md. This module imports nothing, because a project without options needs only
`nixgen.options.project`.
"""
