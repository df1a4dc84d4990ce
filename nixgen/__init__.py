"""nixgen: one typed Python description of a platform, compiled to Nix, built, cached, containerised and booted."""

__version__ = "0.1.0"
