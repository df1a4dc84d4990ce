# Wrappers for programs whose libraries look for data at a fixed place, and take another one from a variable. Sourced by patch.sh.
#
# $NIX_BUILD_TOP/variables has lines "TREE VARIABLE UNLESS VALUE": a program that loads a library of the store path TREE gets
# the variable, unless it is set or the path UNLESS exists, as in an image. VALUE: patterns of paths, with colons between.
# interpreter, elf: see patch.sh.

# existing PATTERNS: what matches, with colons between.
existing() {
  matches=
  for match in $(echo "$1" | tr ':' ' '); do
    [ ! -e "$match" ] || matches=${matches:+$matches:}$match
  done
  echo "$matches"
}

[ -n "$interpreter" ] && for program in bin/*; do
  # Other wrappers stay as they are.
  [ -L "$program" ] || continue
  real=$(readlink "$program")
  case $real in ../*) real=$out/${real#../} ;; *) continue ;; esac
  [ -f "$real" ] || continue
  IFS= read -r -n 4 magic < "$real" || :
  [ "$magic" = "$elf" ] || continue
  libraries=$("$interpreter" --list "$real" 2> /dev/null) || continue
  while read -r tree variable unless value; do
    case $libraries in *"$tree/"*) ;; *) continue ;; esac
    value=$(existing "$value")
    [ -z "$value" ] || echo "[ -e $unless ] || export $variable=\"\${$variable-$value}\""
  done < "$NIX_BUILD_TOP/variables" > "$NIX_BUILD_TOP/exports"
  [ -s "$NIX_BUILD_TOP/exports" ] || continue
  rm "$program"
  {
    echo "#!$busybox/bin/sh"
    cat "$NIX_BUILD_TOP/exports"
    echo "exec \"$real\" \"\$@\""
  } > "$program"
  chmod +x "$program"
done
