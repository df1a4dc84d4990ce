# Fails when a program of "$wantedPath" does not exist. A line there is its place, a tab and its absolute path. subject: whose
# programs they are.  root: a folder with an image's own root, or nothing.

# suggest NAME FOLDER: the programs of the folder, those with names like NAME first, at most eight.
suggest() {
  ls "$2" | awk -v name="$1" '
    function least(a, b) { return a < b ? a : b }
    # The number of letters to insert, to remove or to replace: Levenshtein distance.
    function distance(a, b,    i, j, row, above, diagonal) {
      for (j = 0; j <= length(b); j++) row[j] = j
      for (i = 1; i <= length(a); i++) {
        diagonal = row[0]
        row[0] = i
        for (j = 1; j <= length(b); j++) {
          above = row[j]
          row[j] = least(least(above, row[j - 1]) + 1, diagonal + (substr(a, i, 1) != substr(b, j, 1)))
          diagonal = above
        }
      }
      return row[length(b)]
    }
    {
      away = distance(name, $0)
      # what only adds to the name, such as redis-server to redis, is near
      if (index($0, name)) away = 0.5
      printf "%06.1f %s\n", away, $0
    }' | sort | awk '
    NR <= 8 { printf "%s%s", separator, $2; separator = ", " }
    END { if (NR > 8) printf " and %d more", NR - 8 }'
}

# explain FILE: why it cannot be started.
explain() {
  if [ -d "$1" ]; then
    echo "is a folder"
  elif [ -e "$1" ]; then
    echo "is not executable"
  elif [ ! -d "${1%/*}" ]; then
    echo "does not exist: there is no folder ${1%/*}"
  else
    names=$(suggest "${1##*/}" "${1%/*}")
    if [ -n "$names" ]; then echo "does not exist; the folder has $names"; else echo "does not exist; the folder is empty"; fi
  fi
}

# interpreter FILE: the program that its first line names after #!, or nothing.
interpreter() {
  magic= line=
  IFS= read -r -n 2 magic < "$1" || :
  [ "$magic" = '#!' ] || return 0
  IFS= read -r line < "$1" || :
  line=${line#??}
  line=${line#"${line%%[! ]*}"}
  printf %s "${line%%[ $tab]*}"
}

tab=$(printf '\t')
awk '!seen[$0]++' "$wantedPath" > "$NIX_BUILD_TOP/programs"
missing=0
while IFS=$tab read -r where file || [ -n "$where" ]; do
  [ -n "$where" ] || continue
  case $file in
    "$NIX_STORE"/*) path=$file ;;
    *) path=$root$file ;;
  esac
  if [ ! -x "$path" ] || [ -d "$path" ]; then
    echo "error: $subject, $where: $file $(explain "$path")" >&2
    missing=$((missing + 1))
    continue
  fi
  [ -r "$path" ] || continue
  started=$(interpreter "$path")
  case $started in
    "$NIX_STORE"/*) [ ! -x "$started" ] || [ -d "$started" ] || continue ;;
    # a link in an image's root may lead to a path that is outside of it here
    /*) started=$root$started; [ -n "$root" ] && [ ! -e "$started" ] && [ ! -L "$started" ] || continue ;;
    *) continue ;;
  esac
  echo "error: $subject, $where: $file begins with #!${started#"$root"}, which $(explain "$started")" >&2
  missing=$((missing + 1))
done < "$NIX_BUILD_TOP/programs"
[ "$missing" = 0 ] || exit 1
: > "$out"
