/**
  Data that patched programs look for at the path which Debian compiled in: node needs /usr/share/nodejs, for example.

  # Inputs
  absolutePaths: see ../absolute-paths.
  roots: store paths; the packages of their closure are searched.
  texts: what else names packages of the machine.
  userland: the tree below these links; what it has stays visible.

  # Output
  A derivation with links into the packages: their folders in usr/share, and what their files mention by absolute paths.
  Directories of one name are joined; of two equal names inside, the first in the order of store paths wins.
*/
{
  runBusybox,
  absolutePaths,
  roots,
  texts,
  userland,
}:
runBusybox "data-links"
  (
    absolutePaths.variables "machine" roots texts
    // {
      inherit userland;
      # Words for people and desktops.
      leaveOut = "applications bash-completion bug common-licenses doc doc-base icons info lintian locale man menu pixmaps zsh";
    }
  )
  ''
    set -eu
    mkdir -p "$out/usr/share"
    cd "$out"
    base=$userland
    . "$absolutePaths/links.sh"
    find_wanted "$linkRoots"
    sort "$NIX_BUILD_TOP/reached" > "$NIX_BUILD_TOP/paths"
    while read -r path; do
      for data in "$path"/usr/share/*; do
        [ -d "$data" ] || continue
        name=$(basename "$data")
        case " $leaveOut " in *" $name "*) continue ;; esac
        mkdir -p "$out/usr/share/$name"
        for entry in "$data"/*; do
          link=$out/usr/share/$name/$(basename "$entry")
          if [ -e "$entry" ] && [ ! -e "$link" ]; then ln -s "$entry" "$link"; fi
        done
      done
    done < "$NIX_BUILD_TOP/paths"
    link_wanted
  ''
