# An interpreter with libraries: a unit without packages of its own, with the modules of its dependencies.
#
# language: see modules.sh.  interpreter, libraries: store paths whose programs bin/ has.  deps: both, and all they lead to,
# nearest first.  triplet, busybox, modules: see patch.sh.

mkdir -p "$out/bin" "$out/usr/lib" "$out/usr/libexec"
ln -s usr/lib "$out/lib"
cd "$out"

find_in() {
  for tree in $deps; do
    if [ -e "$tree$1" ]; then
      echo "$tree$1"
      return
    fi
  done
}

. "$modules"
: > "$NIX_BUILD_TOP/uses-$language"
make_modules
[ "$language" != php ] || make_php_servers $interpreter
case $language in
  node) own=$out/usr/libexec/node ;;
  *) own=$(interpreter_of "$language") ;;
esac

for tree in $interpreter; do
  for file in "$tree"/bin/*; do
    [ "$(language_of "${file##*/}")" != "$language" ] || start "$own" "bin/${file##*/}"
  done
done

link_interpreters

# Programs of the libraries run in this interpreter, which has more modules than their own.
for tree in $libraries $interpreter; do
  for file in "$tree"/bin/*; do
    program=bin/${file##*/}
    [ -e "$file" ] && [ ! -e "$program" ] || continue
    IFS= read -r line < "$file" || :
    case $line in
      '#!/nix/store/'*)
        set -f
        set -- ${line#??}
        set +f
        if [ "$(language_of "${1##*/}")" = "$language" ]; then
          shift
          sed "1s|.*|#!$own${1:+ $*}|" "$file" > "$program"
          chmod +x "$program"
          continue
        fi
        ;;
    esac
    ln -s "$(readlink -f "$file")" "$program"
  done
done
