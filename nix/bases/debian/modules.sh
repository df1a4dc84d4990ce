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
    php | php[0-9].[0-9]* | php-start) echo php ;;
    node | nodejs) echo node ;;
    lua | lua5.[0-9]) echo lua ;;
  esac
}

# join_tree FROM INTO: links to all that FROM has. Where both have a folder, it is joined, too: several packages may share
# the name of a folder, as LWP and HTTP::Message share HTTP. Of equal files the first counts.
join_tree() {
  local from=$1 into=$2 entry name target before
  [ -d "$into" ] || mkdir -p "$into"
  set --
  for entry in "$from"/* "$from"/.[!.]*; do
    name=${entry##*/}
    case $name in __pycache__ | node_modules) continue ;; esac
    if [ ! -e "$into/$name" ] && [ ! -L "$into/$name" ]; then
      target=$entry
      # A link that a dependency made leads to the same place.
      if [ -L "$entry" ]; then
        case $(readlink "$entry") in /*/"$name") target=$(readlink "$entry") ;; esac
      elif [ ! -e "$entry" ]; then
        continue
      fi
      set -- "$@" "$target"
    elif [ -d "$entry" ] && [ -d "$into/$name" ] && [ ! "$entry" -ef "$into/$name" ]; then
      if [ -L "$into/$name" ]; then
        before=$(readlink -f "$into/$name")
        rm "$into/$name"
        join_tree "$before" "$into/$name"
      fi
      join_tree "$entry" "$into/$name"
    fi
  done
  [ $# = 0 ] || ln -s "$@" "$into/"
}

# join_modules HOME FOLDER…: the unit's folders of modules with those of its dependencies; not with those of HOME, the unit
# of the interpreter, which finds its own.
join_modules() {
  local home=$1 folder tree
  shift
  for folder in "$@"; do
    for tree in $deps; do
      [ "$tree" != "$home" ] && [ -d "$tree/$folder" ] || continue
      join_tree "$tree/$folder" "$out/$folder"
    done
  done
}

# replace_text FROM TO FILE: a text inside of a file by another of the same length.
replace_text() {
  local at
  strings -t d -n "${#1}" "$3" | awk -v from="$1" '
    index($0, from) {
      sub(/^ +/, "")
      at = index($0, " ")
      offset = substr($0, 1, at - 1)
      rest = substr($0, at + 1)
      while ((found = index(rest, from))) {
        printf "%d\n", offset + found - 1
        offset += found + length(from) - 1
        rest = substr(rest, found + length(from))
      }
    }' | while read -r at; do
    printf %s "$2" | dd of="$3" bs=1 seek="$at" conv=notrunc 2>/dev/null
  done
}

# overwrite FILE OFFSET SIZE TEXT: a text, in the form of printf, and NUL up to the size.
overwrite() {
  [ "$(printf "$4" | wc -c)" -le "$3" ] || { echo "store paths are too long for $1" >&2; exit 1; }
  dd if=/dev/zero of="$1" bs=1 seek="$2" count="$3" conv=notrunc 2>/dev/null
  printf "$4" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# home_of PROGRAM: the unit that has an interpreter.
home_of() {
  local found=$(find_in "/usr/bin/$1")
  echo "${found%/usr/bin/*}"
}

# add_program NAME, with its text as standard input: a program in usr/libexec.
add_program() {
  mkdir -p "$out/usr/libexec"
  cat > "$out/usr/libexec/$1"
  chmod +x "$out/usr/libexec/$1"
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
# python_interpreter, perl_interpreter, …: what starts a program of the language with these modules.
python_modules() {
  local python=$(find_in /usr/bin/python3)
  # Byte code of what the package has itself. Sources get the time that Nix and images give every file, so it stays valid.
  if [ -n "$python" ] && [ -d "$out/usr/lib/python3/dist-packages" ]; then
    find "$out/usr/lib/python3/dist-packages" -type f -name '*.py' -exec touch -d @1 {} +
    PYTHONHASHSEED=0 "$python" -I -B -m compileall -qq -j 1 --invalidation-mode timestamp \
      "$out/usr/lib/python3/dist-packages" || :
  fi
  join_modules "$(home_of python3)" usr/lib/python3/dist-packages
}
perl_modules() { join_modules "$(home_of perl)" $(folders_like usr/share/perl5 "usr/lib/$triplet/perl5/*"); }
ruby_modules() {
  join_modules "$(home_of ruby)" $(folders_like usr/lib/ruby/vendor_ruby "usr/lib/$triplet/ruby/vendor_ruby" \
    usr/share/rubygems-integration "usr/lib/$triplet/rubygems-integration")
}
php_modules() { join_modules "" usr/share/php; }
node_modules() {
  join_modules "" usr/share/nodejs
  for tree in "$out" $deps; do
    for folder in usr/lib/nodejs "usr/lib/$triplet/nodejs"; do
      [ ! -d "$tree/$folder" ] || join_tree "$tree/$folder" "$out/usr/share/nodejs"
    done
  done
  # Node looks in node_modules of each folder above the file that asks.
  [ ! -d "$out/usr/share/nodejs" ] || [ -e "$out/usr/node_modules" ] || ln -s share/nodejs "$out/usr/node_modules"
}

# forbid_byte_code: root may write to the store, and byte code that is written there would change store paths.
forbid_byte_code() {
  mkdir -p "$out/usr/lib/python3/dist-packages"
  [ -e "$out/usr/lib/python3/dist-packages/nixgen.pth" ] ||
    echo 'import sys; sys.dont_write_bytecode = True' > "$out/usr/lib/python3/dist-packages/nixgen.pth"
}

lua_modules() { join_modules "" $(folders_like 'usr/share/lua/5.*' "usr/lib/$triplet/lua/5.*" 'usr/lib/lua/5.*'); }

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
  forbid_byte_code
  ln -sfn "$real" "$out/usr/libexec/python3"
  # Debian's Python reads the folder by itself, others only the usual one.
  "$out/usr/libexec/python3" -I -B -c 'import sys; sys.exit(not any(p.endswith("/dist-packages") for p in sys.path))' ||
    ln -s ../python3/dist-packages "$out/usr/lib/python$version/site-packages"
}

# perl_interpreter: the folders are compiled into Perl, so a module that is loaded first sets them. $^X is the program that
# scripts start for another Perl.
perl_interpreter() {
  local real=$(readlink -f "$(find_in /usr/bin/perl)") home folder folders=
  home=${real%/usr/bin/*}
  for folder in "$out/usr/lib/$triplet/perl5"/5.* "$out/usr/share/perl5" "$home/etc/perl" "$home/usr/share/perl5" \
    "$home/usr/lib/$triplet/perl-base" "$home/usr/lib/$triplet/perl"/5.*.* "$home/usr/share/perl"/5.*.*; do
    [ ! -d "$folder" ] || folders="$folders $folder"
  done
  mkdir -p "$out/usr/libexec/perl-start"
  cat > "$out/usr/libexec/perl-start/NixgenStart.pm" <<END
package NixgenStart;
@INC = grep { ref || !m{^/etc/perl\$|^/usr/(?:local/)?(?:share|lib)/(?:$triplet/)?(?:perl(?:5|-base)?|site_perl)(?:/[0-9.]+)?\$|/perl-start\$} } @INC;
push @INC, qw($folders);
\$^X = '$out/usr/libexec/perl';
1;
END
  add_program perl <<END
#!$busybox/bin/sh
exec $real -I$out/usr/libexec/perl-start -MNixgenStart "\$@"
END
}

# ruby_interpreter: the folders of the standard library are in the interpreter itself, see relocate_ruby; those of gems are
# set by a file that is loaded first.
ruby_interpreter() {
  local real=$(readlink -f "$(find_in /usr/bin/ruby)") home
  home=${real%/usr/bin/*}
  mkdir -p "$out/usr/libexec"
  cat > "$out/usr/libexec/ruby-start.rb" <<END
Dir.glob(["$out/usr/lib/ruby/vendor_ruby", "$out/usr/lib/$triplet/ruby/vendor_ruby/*"]).each do |folder|
  \$LOAD_PATH.unshift(folder) unless \$LOAD_PATH.include?(folder)
end
RbConfig::CONFIG["bindir"] = "$out/usr/libexec"
RbConfig::CONFIG["ruby_install_name"] = "ruby"
if defined?(Gem)
  Gem.use_paths(ENV["GEM_HOME"] || Gem.user_dir, ENV.fetch("GEM_PATH", "").split(":") + Dir.glob([
    "$out/usr/share/rubygems-integration/*", "$out/usr/lib/$triplet/rubygems-integration/*",
    "$home/usr/share/rubygems-integration/*", "$home/usr/lib/ruby/gems/*"
  ].uniq))
end
END
  add_program ruby <<END
#!$busybox/bin/sh
exec $real -r$out/usr/libexec/ruby-start.rb "\$@"
END
}

# relocate_ruby: write the store paths of the standard library over the list of Debian's folders in libruby: texts that end
# in NUL, with an empty one after the last.
relocate_ruby() {
  local library places first last text= folder
  library=$(readlink -f "$(ls -d "$out/usr/lib/$triplet"/libruby-*.so.*.* | head -n 1)")
  places=$(strings -t d -n 8 "$library" | awk '$2 ~ "^/usr/(local/)?lib/.*ruby"')
  first=$(echo "$places" | awk '$2 ~ "^/usr/local/lib/site_ruby/" { print $1; exit }')
  last=$(echo "$places" | awk '$2 ~ "^/usr/lib/[^/]*-linux-gnu/ruby/[0-9.]*$" { print $1 + length($2); exit }')
  [ -n "$first" ] && [ -n "$last" ] || { echo "$library has no list of folders that nixgen knows" >&2; exit 1; }
  for folder in "$out/usr/lib/ruby/vendor_ruby" "$out"/usr/lib/ruby/[0-9]* "$out/usr/lib/$triplet/ruby"/[0-9]*; do
    [ ! -d "$folder" ] || text="$text$folder\\000"
  done
  overwrite "$library" "$first" "$((last - first))" "$text"
}

# php_interpreter [PROGRAM]: PHP reads the php.ini that lies beside its program, so the program lies beside the settings of
# all extensions, in Debian's order. The folder in /etc that it would read as well is taken out.
php_interpreter() {
  local program=${1:-/usr/bin/php} real name home api extension tree ini at zones
  real=$(readlink -f "$(find_in "$program")")
  name=${program##*/}
  home=$out/usr/libexec/$name
  api=$(folders_like 'usr/lib/php/[0-9]*[0-9][0-9]' | tail -n 1)
  mkdir -p "$home/extensions" "$home/bin"
  for tree in "$out" $deps; do
    [ ! -d "$tree/$api" ] || join_tree "$tree/$api" "$home/extensions"
  done
  case $name in *fpm* | *cgi*) ini=php.ini-production ;; *) ini=php.ini-production.cli ;; esac
  for tree in "$out" $deps; do
    for ini in "$tree"/usr/lib/php/[0-9].*/"${ini##*/}"; do
      [ ! -f "$ini" ] || [ -e "$home/bin/php.ini" ] || cat "$ini" > "$home/bin/php.ini"
    done
  done
  {
    printf '\n[PHP]\nextension_dir = "%s"\ninclude_path = ".:%s"\n' "$home/extensions" "$out/usr/share/php"
    for tree in "$out" $deps; do
      for ini in "$tree"/usr/share/php[0-9]*/*/*.ini "$tree"/etc/php/*/mods-available/*.ini; do
        [ ! -f "$ini" ] || echo "$(sed -n 's/^; *priority *= *//p' "$ini" | head -n 1) ${ini##*/} $ini"
      done
    done | sort -n -k 1,2 | awk '!seen[$2]++ { print $3 }' | while read -r ini; do
      extension=$(sed -n 's/^ *\(zend_\)\{0,1\}extension *= *"\{0,1\}\([^" ]*\).*/\2/p' "$ini" | head -n 1)
      [ ! -e "$home/extensions/${extension:-.}" ] || grep -v '^ *\(;\|$\)' "$ini" || :
    done
  } >> "$home/bin/php.ini"
  case $real in
    "$out"/*)
      mv "$real" "$home/bin/$name"
      ln -s "$home/bin/$name" "$real"
      ;;
    *) cp "$real" "$home/bin/$name" ;;
  esac
  chmod u+w "$home/bin/$name"
  strings -t d -n 8 "$home/bin/$name" | awk '$2 ~ "^/etc/php/.*/conf.d$" { print $1 }' | while read -r at; do
    printf '\000' | dd of="$home/bin/$name" bs=1 seek="$at" conv=notrunc 2>/dev/null
  done
  # Time zones, by an open file: PHP has no option for their folder.
  zones=$(find_in /usr/share/zoneinfo)
  [ -z "$zones" ] || replace_text /usr/share/zoneinfo /proc/self/fd/9//// "$home/bin/$name"
  add_program "$name-start" <<END
#!$busybox/bin/sh
${zones:+exec 9<$zones}
exec $home/bin/$name$(case $name in *fpm* | *cgi*) echo " -c $home/bin/php.ini" ;; esac) "\$@"
END
}

# lua_interpreter: a copy of the small program, with the folders written over those that are compiled in. Short links to
# them, because there is little room.
lua_interpreter() {
  local real=$(readlink -f "$(find_in /usr/bin/lua)") version at size text
  version=${real##*/lua}
  mkdir -p "$out/usr/libexec" "$out/usr/share/lua/$version" "$out/usr/lib/$triplet/lua/$version"
  [ ! -d "$out/usr/lib/lua/$version" ] || join_tree "$out/usr/lib/lua/$version" "$out/usr/lib/$triplet/lua/$version"
  ln -sfn "share/lua/$version" "$out/usr/l"
  ln -sfn "lib/$triplet/lua/$version" "$out/usr/c"
  cp "$real" "$out/usr/libexec/lua"
  chmod u+w "$out/usr/libexec/lua"
  strings -t d -n 40 "$real" | awk '$2 ~ "^/usr/local/.*[?].(lua|so);" { print $1, length($2), $2 }' | while read -r at size text; do
    case $text in
      *'?.lua;'*) text="$out/usr/l/?.lua;$out/usr/l/?/init.lua;./?.lua;./?/init.lua" ;;
      *) text="$out/usr/c/?.so;./?.so" ;;
    esac
    overwrite "$out/usr/libexec/lua" "$at" "$size" "$text"
  done
}

# node_interpreter: Node reads NODE_PATH, here in a file that is loaded first, so that children do not inherit it.
node_interpreter() {
  mkdir -p "$out/usr/libexec"
  cat > "$out/usr/libexec/node-start.js" <<END
const before = process.env.NODE_PATH;
process.env.NODE_PATH = [before, "$out/usr/share/nodejs"].filter(Boolean).join(":");
require("module")._initPaths();
if (before === undefined) delete process.env.NODE_PATH;
else process.env.NODE_PATH = before;
process.execPath = "$out/usr/libexec/node";
END
  add_program node <<END
#!$busybox/bin/sh
exec $(home_of node)/bin/node -r $out/usr/libexec/node-start.js "\$@"
END
}

# interpreter_of LANGUAGE: the path of the interpreter for the unit's scripts; nothing when no dependency has one.
interpreter_of() {
  local found
  case $1 in
    python) found=$(find_in /usr/bin/python3) ;;
    *) found=$(find_in "/usr/bin/$1") ;;
  esac
  case $1:$found in
    *:) ;;
    # Python itself is no virtual environment.
    python:"$out"/*) echo "$found" ;;
    python:*) echo "$out/usr/libexec/python3" ;;
    # Node finds the modules of a script from where the script lies.
    node:*) echo "${found%/usr/bin/*}/bin/node" ;;
    php:*) echo "$out/usr/libexec/php-start" ;;
    *) echo "$out/usr/libexec/$1" ;;
  esac
}

# use_interpreter PROGRAM: the path that a script's first line gets. What it needs is made by make_modules.
use_interpreter() {
  local language=$(language_of "$1") path=
  [ -z "$language" ] || path=$(interpreter_of "$language")
  case $path in "$out/usr/libexec/"*) : > "$NIX_BUILD_TOP/uses-$language" ;; esac
  echo "$path"
}

# make_php_servers TREE…: the other programs of PHP that the trees have, with the modules of this unit.
make_php_servers() {
  local tree program
  for tree in "$@"; do
    for program in "$tree"/usr/sbin/php-fpm[0-9]* "$tree"/usr/bin/php-cgi[0-9]*; do
      [ ! -f "$program" ] || php_interpreter "${program#"$tree"}"
    done
  done
}

# make_modules: join the folders that the unit has modules in, and make the interpreters that its scripts use.
make_modules() {
  local language program
  for language in perl ruby php lua; do
    [ ! -e "$out/usr/bin/$language" ] || : > "$NIX_BUILD_TOP/uses-$language"
  done
  [ ! -e "$out/usr/bin/ruby" ] || relocate_ruby
  [ ! -e "$out/usr/bin/python3" ] || forbid_byte_code
  make_php_servers "$out"
  for language in python perl ruby php node lua; do
    if [ -e "$NIX_BUILD_TOP/uses-$language" ] || has_modules "$language"; then "${language}_modules"; fi
    [ ! -e "$NIX_BUILD_TOP/uses-$language" ] || "${language}_interpreter"
  done
}

# start PROGRAM FILE…: files that start a program by its own path. A link would not do: links to it would be followed, and
# interpreters find their modules from the path that they are started by.
start() {
  local program=$1 file
  shift
  for file in "$@"; do
    rm -f "$file"
    printf '#!%s/bin/sh\nexec %s "$@"\n' "$busybox" "$program" > "$file"
    chmod +x "$file"
  done
}

# link_interpreters: in bin/, programs start the interpreters with their modules.
link_interpreters() {
  local program name
  for program in perl ruby php lua; do
    [ ! -e "usr/bin/$program" ] || for name in bin/"$program" bin/"$program"[0-9].[0-9] bin/"$program"[0-9].[0-9][0-9]; do
      [ ! -e "$name" ] || start "$(interpreter_of "$program")" "$name"
    done
  done
  for name in usr/libexec/php-*[0-9]-start; do
    program=${name##*/}
    program=${program%-start}
    [ ! -e "$name" ] || start "$out/$name" "bin/$program" "bin/${program%%[0-9]*}"
  done
  [ ! -e bin/nodejs ] || ln -sfn node bin/nodejs
}

has_modules() {
  case $1 in
    python) [ -d "$out/usr/lib/python3/dist-packages" ] ;;
    perl) [ -d "$out/usr/share/perl5" ] || [ -d "$out/usr/lib/$triplet/perl5" ] ;;
    ruby) [ -d "$out/usr/lib/ruby/vendor_ruby" ] || [ -d "$out/usr/share/rubygems-integration" ] || [ -d "$out/usr/lib/$triplet/ruby/vendor_ruby" ] ;;
    php) [ -d "$out/usr/share/php" ] || [ -n "$(ls -d "$out"/usr/lib/php/[0-9]* 2>/dev/null)" ] ;;
    lua) [ -d "$out/usr/share/lua" ] || [ -d "$out/usr/lib/$triplet/lua" ] || [ -d "$out/usr/lib/lua" ] ;;
    node) [ -d "$out/usr/share/nodejs" ] || [ -d "$out/usr/lib/nodejs" ] || [ -d "$out/usr/lib/$triplet/nodejs" ] ;;
  esac
}
