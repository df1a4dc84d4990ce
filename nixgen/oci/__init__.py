"""OCI images from Nix closures.

- `plan`: image.json, and which store paths share a layer.
- `write`: layers and OCI layouts on disk; nothing enters the Nix store.
- `ship`: images to registries and container engines.
"""
