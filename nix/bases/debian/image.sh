# image.json: the description with the closure added. Arguments: busybox, the description, the file to write.
#
# Nix writes .attrs.json in one line with sorted keys, the same from 2.8 on for the four that are needed here, which are
# neighbours. Text of users cannot occur in it: it is in the description.
PATH=$1/bin
description=$2
out=$3
# The build's own folder first: in a sandbox, 2.8 names the file by its path outside.
attributes=.attrs.json
[ -e "$attributes" ] || attributes=$NIX_ATTRS_JSON_FILE

{
  sed 's/}$//' "$description"
  printf ',"closure":['
  tr -d '\n' < "$attributes" | awk -v skip="$description" '
    {
      entry = "\"narHash\":(\"[^\"]*\"|[{][^}]*[}]),\"narSize\":[0-9]+,\"path\":\"[^\"]*\",\"references\":[[][^]]*[]]"
      text = $0
      while (match(text, entry)) {
        found = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (index(found, "\"path\":\"" skip "\"")) continue
        printf "%s{%s}", separator, found
        separator = ",\n"
      }
    }'
  printf ']}\n'
} > "$out"

grep -q '"narHash"' "$out" || {
  echo "this Nix describes closures in a form that nixgen does not know" >&2
  exit 1
}
