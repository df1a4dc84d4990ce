"""The options of NixOS, as a list that is committed beside a project, and a project's own values checked against it.

No Nix runs for that. Only what NixOS is certain to refuse is a problem; see docs/design.md. Nothing is imported here: a
project without options needs no more than `nixgen.options.project`.
"""
