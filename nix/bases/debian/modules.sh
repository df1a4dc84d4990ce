# Interpreters find the modules of the packages that a unit depends on, and no others. Sourced by patch.sh and interpreter.sh.
#
# On Debian all modules lie in one folder for each language, such as /usr/lib/python3/dist-packages. Here each unit has that
# folder: its own modules, and links to those of its dependencies. A unit with scripts also has, in usr/libexec, an interpreter
# that reads this folder by itself: no variable, which programs that it starts would inherit.
#
# out, deps, triplet, busybox: see patch.sh.  find_in: of patch.sh.

# language_of PROGRAM: the language of an interpreter, or nothing.
language_of() {
  case $1 in
    python | python3 | python3.[0-9]*) echo python ;;
    perl) echo perl ;;
    ruby | ruby[0-9].[0-9]*) echo ruby ;;
    php | php[0-9].[0-9]*) echo php ;;
    node | nodejs) echo node ;;
  esac
}

# join_tree FROM INTO: links to all that FROM has. Where both have a folder, it is joined, too: several packages may share
# the name of a folder, as LWP and HTTP::Message share HTTP. Of equal files the first counts.
join_tree() {
  local from=$1 into=$2 entry name target before
  mkdir -p "$into"
  for entry in "$from"/* "$from"/.[!.]*; do
    name=${entry##*/}
    case $name in __pycache__ | node_modules) continue ;; esac
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    target=$entry
    if [ -L "$entry" ]; then
      case $(readlink "$entry") in /*) target=$(readlink "$entry") ;; esac
    fi
    if [ ! -e "$into/$name" ] && [ ! -L "$into/$name" ]; then
      ln -s "$target" "$into/$name"
    elif [ -d "$target" ] && [ -d "$into/$name" ] && [ "$(readlink -f "$into/$name")" != "$(readlink -f "$target")" ]; then
      if [ -L "$into/$name" ]; then
        before=$(readlink -f "$into/$name")
        rm "$into/$name"
        join_tree "$before" "$into/$name"
      fi
      join_tree "$target" "$into/$name"
    fi
  done
}

# join_modules FOLDER…: the unit's folders of modules with those of its dependencies.
join_modules() {
  local folder tree
  for folder in "$@"; do
    for tree in $deps; do
      [ ! -d "$tree/$folder" ] || join_tree "$tree/$folder" "$out/$folder"
    done
  done
}

# folders_like PATTERN…: the folders of the unit and its dependencies that match, each once, without the store path.
folders_like() {
  local pattern tree folder
  for pattern in "$@"; do
    for tree in "$out" $deps; do
      for folder in "$tree"/$pattern; do
        [ ! -d "$folder" ] || echo "${folder#"$tree/"}"
      done
    done
  done | sort -u
}

# python_modules, perl_modules, …: join the folders of a language.
python_modules() {
  local python=$(find_in /usr/bin/python3)
  # Byte code of what the package has itself. Sources get the time that Nix and images give every file, so it stays valid.
  if [ -n "$python" ] && [ -d "$out/usr/lib/python3/dist-packages" ]; then
    find "$out/usr/lib/python3/dist-packages" -type f -name '*.py' -exec touch -d @1 {} +
    PYTHONHASHSEED=0 "$python" -I -B -m compileall -qq -j 1 --invalidation-mode timestamp \
      "$out/usr/lib/python3/dist-packages" || :
  fi
  join_modules usr/lib/python3/dist-packages
}
perl_modules() { join_modules $(folders_like usr/share/perl5 "usr/lib/$triplet/perl5/*"); }
ruby_modules() {
  join_modules $(folders_like usr/lib/ruby/vendor_ruby "usr/lib/$triplet/ruby/vendor_ruby" \
    usr/share/rubygems-integration "usr/lib/$triplet/rubygems-integration")
}
php_modules() { join_modules $(folders_like usr/share/php "usr/lib/php/[0-9]*"); }
node_modules() {
  join_modules usr/share/nodejs
  for tree in "$out" $deps; do
    for folder in usr/lib/nodejs "usr/lib/$triplet/nodejs"; do
      [ ! -d "$tree/$folder" ] || join_tree "$tree/$folder" "$out/usr/share/nodejs"
    done
  done
  # Node looks in node_modules of each folder above the file that asks.
  [ ! -d "$out/usr/share/nodejs" ] || [ -e "$out/usr/node_modules" ] || ln -s share/nodejs "$out/usr/node_modules"
}

# python_interpreter: a virtual environment (PEP 405) in usr/, whose site-packages are the joined modules.
python_interpreter() {
  local real version home tree entry
  real=$(readlink -f "$(find_in /usr/bin/python3)")
  home=${real%/bin/*}
  version=${real##*/python}
  mkdir -p "$out/usr/lib/python3/dist-packages" "$out/usr/lib/python$version" "$out/usr/libexec"
  # Parts of the standard library that are packages of their own, such as tkinter.
  for tree in $deps; do
    [ "$tree/usr" != "$home" ] || continue
    for entry in "$tree/usr/lib/python$version"/* "$tree/usr/lib/python$version/lib-dynload"/*; do
      case ${entry##*/} in __pycache__ | *-packages | lib-dynload) continue ;; esac
      [ ! -e "$entry" ] || [ -e "$out/usr/lib/python3/dist-packages/${entry##*/}" ] ||
        ln -s "$entry" "$out/usr/lib/python3/dist-packages/"
    done
  done
  printf 'home = %s\ninclude-system-site-packages = false\nversion = %s\n' "$home/bin" "$version" > "$out/usr/pyvenv.cfg"
  # Root may write to the store, and byte code that is written there would change store paths.
  [ -e "$out/usr/lib/python3/dist-packages/nixgen.pth" ] ||
    echo 'import sys; sys.dont_write_bytecode = True' > "$out/usr/lib/python3/dist-packages/nixgen.pth"
  ln -sfn "$real" "$out/usr/libexec/python3"
  # Debian's Python reads the folder by itself, others only the usual one.
  "$out/usr/libexec/python3" -I -B -c 'import sys; sys.exit(not any(p.endswith("/dist-packages") for p in sys.path))' ||
    ln -s ../python3/dist-packages "$out/usr/lib/python$version/site-packages"
}

# interpreter_of LANGUAGE: the path of the unit's own interpreter; nothing when no dependency has one.
interpreter_of() {
  case $1 in
    python)
      case $(find_in /usr/bin/python3) in
        '') ;;
        "$out"/*) echo "$out/usr/bin/python3" ;;
        *) echo "$out/usr/libexec/python3" ;;
      esac
      ;;
  esac
}

# use_interpreter PROGRAM: the path that a script's first line gets. What it needs is made by make_interpreters.
use_interpreter() {
  local language=$(language_of "$1") path=
  [ -z "$language" ] || path=$(interpreter_of "$language")
  case $path in "$out/usr/libexec/"*) : > "$NIX_BUILD_TOP/uses-$language" ;; esac
  echo "$path"
}

# make_modules: join what the unit has modules of.  make_interpreters: what its scripts use.
make_modules() {
  local language
  for language in python perl ruby php node; do
    if [ -e "$NIX_BUILD_TOP/uses-$language" ] || has_modules "$language"; then "${language}_modules"; fi
    [ ! -e "$NIX_BUILD_TOP/uses-$language" ] || "${language}_interpreter"
  done
}

has_modules() {
  case $1 in
    python) [ -d "$out/usr/lib/python3/dist-packages" ] ;;
    perl) [ -d "$out/usr/share/perl5" ] || [ -d "$out/usr/lib/$triplet/perl5" ] ;;
    ruby) [ -d "$out/usr/lib/ruby/vendor_ruby" ] || [ -d "$out/usr/share/rubygems-integration" ] || [ -d "$out/usr/lib/$triplet/ruby/vendor_ruby" ] ;;
    php) [ -d "$out/usr/share/php" ] || [ -n "$(ls -d "$out"/usr/lib/php/[0-9]* 2>/dev/null)" ] ;;
    node) [ -d "$out/usr/share/nodejs" ] || [ -d "$out/usr/lib/nodejs" ] || [ -d "$out/usr/lib/$triplet/nodejs" ] ;;
  esac
}
