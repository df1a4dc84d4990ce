# Builder of image.json: Nix puts the closure into the attributes, with hashes and sizes.
source "${NIX_ATTRS_SH_FILE:-.attrs.sh}"

"$jq" --sort-keys '
  .references as $references
  | .image + {
      closure: [
        .closure[]
        | select(.path != $references)
        | { path, narHash, narSize, references: (.references // [] | sort) }
      ] | sort_by(.path)
    }
' "${NIX_ATTRS_JSON_FILE:-.attrs.json}" > "${outputs[out]}"
