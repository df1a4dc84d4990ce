# The compiler finds headers, libraries and tools in the store, and what it links runs from there.
#
# GCC looks for its own files beside itself. Headers, start files and libraries of the C library are those of a root folder
# (--sysroot), which is made here of links. The loader and the places of libraries that a linked program uses are options of
# a specs file: https://gcc.gnu.org/onlinedocs/gcc/Spec-Files.html.

root=$out/usr/lib/gcc/sysroot

for tree in $deps; do
  [ ! -d "$tree/usr/include" ] || join_tree "$tree/usr/include" "$root/usr/include"
  mkdir -p "$root/usr/lib/$triplet"
  for file in "$tree/usr/lib/$triplet"/*.so "$tree/usr/lib/$triplet"/*.so.* "$tree/usr/lib/$triplet"/*.[ao]; do
    target=$root/usr/lib/$triplet/${file##*/}
    [ -f "$file" ] && [ ! -e "$target" ] || continue
    # Of a linker script, the linker takes paths as those of this root only if the script itself is in it.
    case $(head -c 6 "$file") in '/* GNU') cp "$file" "$target" ;; *) ln -s "$file" "$target" ;; esac
  done
done
ln -s usr/lib "$root/lib"
# Linker scripts name the loader where Debian has it.
mkdir "$root/lib64"
ln -s "$interpreter" "$root/lib64/$loader"

# folders_with PATTERN…: the library folders of dependencies that have such files, with ":" between them.
folders_with() {
  folders=
  for pattern in "$@"; do
    for folder in $library_folders; do
      case $folder in "$out"/*) continue ;; esac
      found=$(find "$folder" -maxdepth 1 -name "$pattern" | head -n 1)
      if [ -n "$found" ]; then
        case :$folders: in *":$folder:"*) ;; *) folders=${folders:+$folders:}$folder ;; esac
        break
      fi
    done
  done
  echo "$folders"
}

# run_time OPTIONS PATTERN…: with one of the options, a program finds these libraries when it runs.
run_time() {
  options=$1
  shift
  folders=$(folders_with "$@")
  [ -z "$folders" ] || printf ' %%{%s:-rpath %s}' "$options" "$folders"
}

{
  printf '*link:\n+ %%{!r:%%{!static:%%{!static-pie:'
  printf '%s' "-rpath $(folders_with libc.so.6 'libstdc++.so.6') %{!shared:-dynamic-linker $interpreter}"
  printf '}}}'
  run_time 'fopenmp|fopenacc|ftree-parallelize-loops=*' 'libgomp.so.*'
  run_time 'fgnu-tm' 'libitm.so.*'
  run_time 'fsanitize=*' 'libasan.so.*' 'liblsan.so.*' 'libtsan.so.*' 'libubsan.so.*'
  printf '\n\n'
} > "$root/specs"

for libraries in "$out/usr/lib/gcc/$triplet"/[0-9]*; do
  [ -d "$libraries" ] && [ ! -L "$libraries" ] || continue
  for tool in as ld ld.bfd ld.gold nm ar ranlib objcopy strip; do
    found=$(find_in "/usr/bin/$tool")
    [ -z "$found" ] || ln -s "$found" "$libraries/$tool"
  done
done

mkdir "$root/drivers"
for driver in "$out/usr/bin/$triplet"-*-[0-9]*; do
  case ${driver##*/$triplet-} in gcc-[0-9]* | g++-[0-9]* | cpp-[0-9]* | gfortran-[0-9]*) ;; *) continue ;; esac
  [ -f "$driver" ] && [ ! -L "$driver" ] || continue
  mv "$driver" "$root/drivers/"
  # Under its own name, by which it finds what is beside it.
  cat > "$driver" <<END
#!$busybox/bin/sh
exec -a "$driver" "$root/drivers/${driver##*/}" --sysroot=$root -specs=$root/specs "\$@"
END
  chmod +x "$driver"
done
