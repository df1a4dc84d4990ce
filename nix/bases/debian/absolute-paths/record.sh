# Absolute paths that a unit's files mention, such as /usr/share/nginx. Sourced by patch.sh, in the unit's folder.
#
# A path that the unit or a dependency has is rewritten to its store path, where the file is text: scripts, configuration.
# /etc stays as it is: what is there is the operator's, who replaces it. A program's binary cannot be rewritten, because a
# store path is longer: what remains is written to nix-support/absolute-paths, and images and machines link it at
# exactly these places (links.sh). Its lines are "PATH NAME…": the names of the store paths that have it, nearest first,
# without the hash, so that nothing refers to them: only who needs the links shall have them.

# Documentation, and what only an installed Debian reads: rewriting these would only add references.
# $1: further options of find.
mentioning_files() {
  find . -type d \( \
    -path ./etc/apparmor.d -o -path './etc/cron*' -o -path ./etc/default -o -path ./etc/init.d -o -path ./etc/kernel -o \
    -path ./etc/logrotate.d -o -path './etc/network' -o -path ./etc/pam.d -o -path './etc/rc?.d' -o -path ./etc/skel -o -path ./etc/ufw -o \
    -path ./etc/systemd -o -path ./nix-support -o -path ./usr/include -o \
    -path ./usr/lib/systemd/system -o -path ./usr/lib/systemd/user -o -path ./usr/lib/udev -o -path ./usr/lib/tmpfiles.d -o \
    -path ./usr/share/applications -o -path ./usr/share/apport -o -path ./usr/share/doc -o -path ./usr/share/fonts -o \
    -path ./usr/share/icons -o -path ./usr/share/initramfs-tools -o -path ./usr/share/menu -o -path ./usr/share/metainfo -o \
    -path ./usr/share/pixmaps -o -path ./usr/src \
    \) -prune -o -type f \
    ! -name '*.html' ! -name '*.htm' ! -name '*.txt' ! -name '*.md' ! -name '*.rst' ! -name '*.pod' ! -name '*.tex' \
    ! -name '*.[ch]' ! -name '*.gz' ! -name '*.xz' ! -name '*.png' ! -name '*.svg' ! -name '*.rewritten' \
    ! -name 'README*' ! -name 'NEWS*' ! -name 'COPYING*' ! -name 'LICENSE*' ! -name 'ChangeLog*' -print | sort
}

# paths_in < LIST: the absolute paths that files mention.
paths_in() {
  tr '\n' '\0' | xargs -0 -r cat | tr -cs 'A-Za-z0-9._+@~/})-' '\n' |
    grep -F -e /usr/ -e /etc/ -e /lib/ -e /bin/ -e /sbin/ | grep '^/\(usr\|etc\|lib\|bin\|sbin\)/' |
    sed -e 's/[)}].*//' -e 's|//*|/|g' -e 's|/$||' | sort -u
}

# trees_with PATH: the trees that have the path, of the unit and its dependencies; several only of a folder.
trees_with() {
  place=$1
  trees=
  case $place in
    # Which shell /bin/sh is, is for the image or the machine to say.
    /bin/sh | */../* | */./* | */.. | */.) return ;;
    /bin/* | /sbin/* | /lib/*) place=/usr$place ;;
  esac
  # Folders that all packages share.
  case $place in
    /usr/bin | /usr/sbin | /usr/lib | /usr/libexec | /usr/share | /usr/include | /usr/games | /usr/src) return ;;
    "/usr/lib/$triplet" | /usr/lib/pkgconfig | "/usr/lib/$triplet/pkgconfig" | /usr/share/pkgconfig) return ;;
    /usr/share/doc | /usr/share/doc/* | /usr/share/man | /usr/share/man/* | /usr/share/*/man | /usr/share/info | /usr/share/locale) return ;;
    /etc/default | /etc/default/* | /etc/init.d | /etc/init.d/*) return ;;
    /usr/bin/* | /usr/sbin/* | /usr/lib/* | /usr/libexec/* | /usr/share/* | /usr/games/* | /etc/*) ;;
    *) return ;;
  esac
  for tree in "$out" $deps; do
    [ -e "$tree$place" ] || continue
    trees="$trees $tree"
    [ -d "$tree$place" ] || break
  done
}

# lookup < PATHS: lines "PATH TREE…". Of a path that no tree has, such as the beginning of a name, the folder.
lookup() {
  while read -r path; do
    trees_with "$path"
    if [ -z "$trees" ]; then
      path=${path%/*}
      trees_with "$path"
    fi
    [ -z "$trees" ] || echo "$path$trees"
  done | sort -u
}

mentioning_files > "$NIX_BUILD_TOP/mentioning"
# Text has no NUL.
tr '\n' '\0' < "$NIX_BUILD_TOP/mentioning" |
  xargs -0 -r grep -lF -e /usr/ -e /lib/ -e /bin/ -e /sbin/ -e prefix=/usr |
  while read -r file; do
    case $file in *.so | *.so.* | *.a | *.o | *.pyc | *.jar) continue ;; esac
    IFS= read -r -n 4 magic < "$file" || :
    [ "$magic" != "$elf" ] || continue
    ! tr -d '\0' < "$file" | cmp -s - "$file" || echo "$file"
  done > "$NIX_BUILD_TOP/texts"

paths_in < "$NIX_BUILD_TOP/texts" | grep -v '^/etc/' | lookup | while read -r path tree more; do
  # A folder that several packages fill is no one place.
  [ -z "$more" ] || continue
  case $path in
    /usr/bin/* | /usr/sbin/* | /bin/* | /sbin/*)
      name=${path##*/}
      case ${path%/*} in /usr/bin | /usr/sbin | /bin | /sbin) ;; *) name= ;; esac
      # bin/ has the wrapped programs; this unit's is not made yet
      if [ -n "$name" ] && [ ! -d "$tree/usr/bin/$name" ] && { [ "$tree" = "$out" ] || [ -e "$tree/bin/$name" ]; }; then
        echo "$path $tree/bin/$name"
        continue
      fi
      ;;
  esac
  case $path in /usr/*) echo "$path $tree$path" ;; *) echo "$path $tree/usr$path" ;; esac
done > "$NIX_BUILD_TOP/map"

tr '\n' '\0' < "$NIX_BUILD_TOP/texts" |
  xargs -0 -r awk -v map="$NIX_BUILD_TOP/map" -v prefix="$out/usr" -f "$absolutePaths/rewrite.awk"
while read -r file; do
  [ -e "$file.rewritten" ] || continue
  cat "$file.rewritten" > "$file"
  rm "$file.rewritten"
done < "$NIX_BUILD_TOP/texts"

paths_in < "$NIX_BUILD_TOP/mentioning" | lookup | while read -r path trees; do
  names=
  for tree in $trees; do
    name=${tree##*/}
    names="$names ${name#*-}"
  done
  echo "$path$names"
done > "$NIX_BUILD_TOP/absolute-paths"
# Debian's packages need not depend on a shell, because each installation has one. system(3) and popen(3) start /bin/sh, which
# only the C library mentions; nothing in the C library itself calls them unasked.
calls_shell=$(tr '\n' '\0' < "$NIX_BUILD_TOP/programs" | xargs -0 -r cat | tr -cs 'A-Za-z0-9_/' '\n' |
  grep -F -x -e popen -e _IO_popen -e system -e /bin/sh | sort -u)
if [ -n "$calls_shell" ] && [ ! -e "$out/usr/lib/$triplet/libc.so.6" ]; then
  echo "/bin/sh ${busybox##*/*-}" >> "$NIX_BUILD_TOP/absolute-paths"
fi
if [ -s "$NIX_BUILD_TOP/absolute-paths" ]; then
  mkdir -p nix-support
  cp "$NIX_BUILD_TOP/absolute-paths" nix-support/absolute-paths
fi
