/**
  Data that patched programs look for at the path which Debian compiled in: node needs /usr/share/nodejs, for example.

  # Inputs
  roots: store paths; the packages of their closure are searched.

  # Output
  A derivation whose usr/share holds links into the packages. Directories of one name are joined; of two equal
  names inside, the first in the order of store paths wins.
*/
{ runBusybox, roots }:
let
  inherit (builtins)
    concatMap
    elemAt
    genList
    length
    ;
in
runBusybox "data-links"
  {
    exportReferencesGraph = concatMap (index: [
      "closure-${toString index}"
      (elemAt roots index)
    ]) (genList (index: index) (length roots));
    # Words for people and desktops.
    leaveOut = "applications bash-completion bug common-licenses doc doc-base icons info lintian locale man menu pixmaps zsh";
  }
  ''
    set -eu
    mkdir -p "$out/usr/share"
    cat closure-* | grep '^${builtins.storeDir}/' | LC_ALL=C sort -u > paths
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
    done < paths
  ''
