# Links for absolute paths. Sourced, in the folder of the root that is made.
#
# base: a tree in Debian's layout that lies below this root, empty when there is none. What it has stays visible.

# entries_into PATH FOLDER: everything in the folder, at the path.
entries_into() {
  for each in "$2"/* "$2"/.[!.]*; do
    [ ! -e "$each" ] || echo "${each##*/}"
  done | while read -r entry; do
    link_at "$1/$entry" "$2/$entry"
  done
}

# folder_at PATH: makes sure that the path is a folder that can be written to. A link to a folder of a package becomes one
# with links to what is in it.
folder_at() {
  case $1 in */*) folder_at "${1%/*}" ;; esac
  if [ -L "$1" ]; then
    case $(readlink "$1") in /nix/store/*) ;; *) return 0 ;; esac
    linked=$(readlink -f "$1")
    rm "$1"
    mkdir "$1"
    entries_into "$1" "$linked"
  elif [ ! -d "$1" ]; then
    mkdir "$1"
  fi
}

# link_at PATH SOURCE: a link to the source, unless the path is taken. Two folders are joined, and what was first stays.
link_at() {
  if [ -n "$base" ] && { [ -e "$base/$1" ] || [ -L "$base/$1" ]; }; then
    [ -d "$base/$1" ] && [ -d "$2" ] || return 0
    folder_at "$1"
  fi
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then
    case $1 in */*) folder_at "${1%/*}" ;; esac
    ln -s "$2" "$1"
  elif [ -d "$1" ] && [ -d "$2" ] && [ "$(readlink -f "$1")" != "$(readlink -f "$2")" ]; then
    folder_at "$1"
    entries_into "$1" "$2"
  fi
}

# find_wanted ROOT…: which links the packages want that the roots lead to, as the file wanted; these packages, and those
# that the links lead to, as the file reached.
find_wanted() {
  awk -v roots="$*" -v reached="$NIX_BUILD_TOP/reached" -f "$absolutePaths/wanted.awk" "$NIX_BUILD_TOP/graph" \
    > "$NIX_BUILD_TOP/wanted"
}

# link_wanted: makes these links.
link_wanted() {
  while read -r path package; do
    path=${path#/}
    source=$package/$path
    case $path in
      bin/* | sbin/* | lib/*)
        source=$package/usr/$path
        path=usr/$path
        ;;
    esac
    case $path in
      usr/bin/*/* | usr/sbin/*/*) ;;
      # bin/ has the wrapped programs
      usr/bin/* | usr/sbin/*) [ ! -e "$package/bin/${path##*/}" ] || source=$package/bin/${path##*/} ;;
    esac
    [ ! -e "$source" ] || link_at "$path" "$source"
  done < "$NIX_BUILD_TOP/wanted"
}
