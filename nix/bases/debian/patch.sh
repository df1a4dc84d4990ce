# One unit: packages unpacked into $out, in Debian's layout with /usr merged, changed to run from the store.
#
# debs: the unit's packages.  directDeps, deps: the units it depends on, and all that these lead to, nearest first.
# modules: modules.sh.  loader, triplet: see architectures.nix.  patchelf, busybox, bash: tools; bash is
# empty for bash itself and what it needs.  alternatives: alternatives.awk.
# absolutePaths: the folder of record.sh and rewrite.awk.
# dlopen, binDirs, replaceFiles, replaceFrom, replaceTo: see programs.nix.

mkdir -p "$out/usr/bin" "$out/usr/sbin" "$out/usr/lib" "$out/usr/lib64"
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$out/$folder"; done
for deb in $debs; do unpack "$deb" "$out"; done
cd "$out"
rm -rf $leaveOut

# postinst_of DEB: the script that runs when the package is installed; nothing when there is none.
postinst_of() {
  member=$(ar t "$1" | grep '^control\.tar' || :)
  case $member in
    control.tar) decode=cat ;;
    control.tar.gz) decode=gunzip ;;
    control.tar.xz) decode=unxz ;;
    *) return 0 ;;
  esac
  ar p "$1" "$member" | $decode | tar -xO ./postinst 2>/dev/null || :
}

# What update-alternatives would link: names such as java and vi are no files of any package. Of one link, the target with
# the highest priority counts, as with its automatic mode.
for deb in $debs; do postinst_of "$deb" | awk -f "$alternatives"; done | sort -rn |
  while read -r _ link target; do
    # /bin and /sbin are links to below /usr
    case $link in /bin/* | /sbin/*) link=/usr$link ;; esac
    case $target in /bin/* | /sbin/*) target=/usr$target ;; esac
    case $link in *..*) continue ;; /usr/*) ;; *) continue ;; esac
    if [ -e "$out$target" ] && [ ! -e "$out$link" ] && [ ! -L "$out$link" ]; then
      mkdir -p "$out${link%/*}"
      ln -s "$target" "$out$link"
    fi
  done
# From here on bin/ is the collection of all programs, not a merged folder.
rm bin sbin
rmdir usr/bin usr/sbin usr/lib64 2>/dev/null || :
[ -d usr/lib64 ] || rm lib64
rmdir usr/lib 2>/dev/null && rm lib

# find_in PATH: this unit's or a dependency's store path that has PATH (which starts with a slash).
find_in() {
  for tree in "$out" $deps; do
    if [ -e "$tree$1" ]; then
      echo "$tree$1"
      return
    fi
  done
}

. "$modules"

# plain PATH: the path, which starts with a slash, without "." and "..": a dependency need not have the folders on the way.
plain() {
  rest=$1/
  path=
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    rest=${rest#*/}
    case $part in
      '' | .) ;;
      ..) path=${path%/*} ;;
      *) path=$path/$part ;;
    esac
  done
  echo "$path"
}

# Links: absolute ones into the package itself or a dependency; relative ones that lead into a dependency.
find . -type l | sort | while read -r link; do
  link=${link#.}
  target=$(readlink "$out$link")
  case $target in
    /nix/store/*) continue ;;
    /*) found=$(find_in "$target") ;;
    *)
      [ ! -e "$out$link" ] || continue
      found=$(find_in "$(plain "${link%/*}/$target")")
      ;;
  esac
  [ -z "$found" ] || ln -sfn "$found" "$out$link"
done

# Where the loader would look: multiarch folders first, as Debian's own configuration has it.
library_folders=
for tree in "$out" $deps; do
  for folder in "$tree/usr/lib/$triplet" "$tree/usr/lib"; do
    [ ! -d "$folder" ] || library_folders="$library_folders $folder"
  done
done
interpreter=$(find_in "/lib64/$loader")
[ -n "$interpreter" ] || interpreter=$(find_in "/lib/$loader")
[ -n "$interpreter" ] || interpreter=$(find_in "/lib/$triplet/$loader")
# The real file: links of libc6 go through /lib64, which a dependency's closure need not show.
[ -z "$interpreter" ] || interpreter=$(readlink -f "$interpreter")

run_patchelf() {
  "$patchelf/loader" --library-path "$patchelf" "$patchelf/patchelf" "$@"
}

# folder_of LIBRARY PRIVATE…: the folder that provides a library; private folders first.
folder_of() {
  library=$1
  shift
  for folder in "$@" $library_folders; do
    if [ -e "$folder/$library" ]; then
      echo "$folder"
      return
    fi
  done
  found=$(find "$out" -name "$library" | head -n 1)
  [ -z "$found" ] || echo "${found%/*}"
}

# has_writable_dynamic PROGRAM: whether the loader may write to the dynamic section, as it does before the program starts. In
# programs with fixed addresses patchelf uses free room at their beginning, which is read-only: those that Go links.
has_writable_dynamic() {
  # e_type, e_phoff, e_phentsize and e_phnum of the header: elf(5)
  set -- "$1" $(od -An -v -tu2 -j16 -N2 "$1") $(od -An -v -tu8 -j32 -N8 "$1") $(od -An -v -tu2 -j54 -N4 "$1")
  [ "$2" = 2 ] || return 0
  od -An -v -tu4 -w"$4" -j"$3" -N$(($4 * $5)) "$1" | awk '
    { from = $5 + $6 * 4294967296; size = $11 + $12 * 4294967296 }
    $1 == 1 && int($2 / 2) % 2 { start[++count] = from; end[count] = from + size }
    $1 == 2 { dynamic = from }
    END {
      for (i = 1; i <= count; i++) if (start[i] <= dynamic && dynamic < end[i]) exit 0
      exit 1
    }'
}

# name_libraries ORIGINAL FILE: a program that names its libraries by their paths, for which that section keeps its place.
name_libraries() {
  cp "$1" "$2"
  run_patchelf --set-interpreter "$interpreter" "$2"
  for library in $wants; do
    case $library in ld-linux*) continue ;; esac
    run_patchelf --replace-needed "$library" "$(folder_of "$library" $private)/$library" "$2"
  done
}

patch_elf() {
  file=$1
  case ${file##*/} in ld-linux* | ld-*.so | libc.so.6 | libc-*.so) return ;; esac
  needed=$(run_patchelf --print-needed "$file" 2>/dev/null) || return 0
  wants=
  for library in $needed; do
    case $library in libc.so.6 | ld-linux*) ;; *) wants="$wants $library" ;; esac
  done
  # glibc loads this library by name, from Debian's folders, when a thread ends early, and aborts without it. It uses one
  # that the process has loaded already.
  add_needed=
  case " ${file##*/} $needed " in
    *libgcc_s.so.1*) ;;
    *)
      if tr '\0' '\n' < "$file" | grep -q -x -e pthread_exit -e pthread_cancel && [ -n "$(folder_of libgcc_s.so.1)" ]; then
        add_needed=libgcc_s.so.1
        wants="$wants $add_needed"
      fi
      ;;
  esac
  is_program=
  if [ -x "$file" ] && run_patchelf --print-interpreter "$file" > /dev/null 2>&1; then is_program=1; fi
  # The program has loaded libc before any library asks for it.
  [ -n "$is_program$wants" ] || return 0
  [ -z "$is_program" ] || wants="$needed $add_needed"
  private=
  old=$(run_patchelf --print-rpath "$file" 2>/dev/null | tr ':' ' ')
  for folder in $old; do
    case $folder in
      '$ORIGIN'*) private="$private ${file%/*}${folder#?ORIGIN}" ;;
      /*) private="$private $(find_in "$folder")" ;;
    esac
  done
  rpath=
  for library in $wants $dlopen; do
    case $library in ld-linux*) continue ;; esac
    folder=$(folder_of "$library" $private)
    case :$rpath: in *":$folder:"*) ;; *) rpath="${rpath:+$rpath:}$folder" ;; esac
  done
  if [ -n "$is_program" ] && [ -n "$interpreter" ]; then
    cp "$file" "$NIX_BUILD_TOP/program"
    run_patchelf --set-interpreter "$interpreter" --set-rpath "$rpath" "$file"
    has_writable_dynamic "$file" || name_libraries "$NIX_BUILD_TOP/program" "$file"
  else
    run_patchelf --set-rpath "$rpath" "$file"
  fi
  # a run of its own: together with a path, patchelf 0.14 writes the library's name as the path
  [ -z "$add_needed" ] || [ -n "$is_program" ] || run_patchelf --add-needed "$add_needed" "$file"
}

patch_script() {
  file=$1
  IFS= read -r line < "$file" || :
  set -f
  set -- ${line#??}
  set +f
  program=${1:-}
  case $program in
    */env)
      case ${2:-} in -* | '') return 0 ;; esac
      shift
      program=$1
      ;;
    /*) ;;
    *) return 0 ;;
  esac
  name=${program##*/}
  shift
  found=$(use_interpreter "$name")
  [ -n "$found" ] || for tree in "$out" $deps; do
    if [ -e "$tree/usr/bin/$name" ]; then
      found=$tree/usr/bin/$name
      break
    fi
  done
  case $found$name in
    sh) found=$busybox/bin/sh ;;
    bash) found=$bash ;;
  esac
  [ -z "$found" ] || sed -i "1s|.*|#!$found${1:+ $*}|" "$file"
}

elf=$(printf '\177ELF')
find "$out" -type f \( -perm -100 -o -name '*.so*' -o -name '*.node' \) | sort > "$NIX_BUILD_TOP/candidates"
: > "$NIX_BUILD_TOP/programs"
while read -r file; do
  IFS= read -r -n 4 magic < "$file" || :
  case $magic in
    "$elf")
      patch_elf "$file"
      echo "$file" >> "$NIX_BUILD_TOP/programs"
      ;;
    '#!'*) patch_script "$file" ;;
  esac
done < "$NIX_BUILD_TOP/candidates"

# Text of equal length, in place.
for file in $replaceFiles; do
  [ ! -f "$file" ] || [ -L "$file" ] || replace_text "$replaceFrom" "$replaceTo" "$file"
done

. "$absolutePaths/record.sh"

# After all changes of texts: byte code is made of them.
make_modules

mkdir -p bin
for folder in usr/sbin usr/bin $binDirs; do
  [ -d "$folder" ] || continue
  for file in "$folder"/*; do
    [ ! -e "$file" ] && [ ! -L "$file" ] || ln -sf "../$file" "bin/${file##*/}"
  done
done
rmdir bin 2>/dev/null || :

# A meta package has nothing but dependencies, and its programs are theirs.
if [ -z "$(find . -type f -o -type l | head -n 1)" ]; then
  mkdir -p bin
  for tree in $directDeps; do
    for file in "$tree"/bin/*; do
      [ ! -e "$file" ] || [ -e "bin/${file##*/}" ] || ln -s "$file" "bin/${file##*/}"
    done
  done
  rmdir bin 2>/dev/null || :
fi

# folders_of_programs NAME…: the bin folders of the dependencies that have the programs, with ":" between them.
folders_of_programs() {
  folders=
  for program in "$@"; do
    found=
    for tree in $deps; do
      if [ -e "$tree/bin/$program" ]; then
        found=$tree/bin
        break
      fi
    done
    [ -n "$found" ] || refuse "$out" "no dependency has the program $program"
    case :$folders: in *":$found:"*) ;; *) folders=${folders:+$folders:}$found ;; esac
  done
  echo "$folders"
}

link_interpreters

# Wrappers replace links in bin/ only; programs that look for themselves find the real file below usr/.
eval "$wrap"

eval "$finish"
