/**
  Debian's patchelf with the libraries and the loader that it needs, in one flat folder: how to run a Debian program
  before any has been patched. Run it as `$patchelf/loader --library-path $patchelf $patchelf/patchelf`.

  # Inputs
  packages: patchelf and everything it depends on, unpacked.
*/
{
  runBusybox,
  loader,
  packages,
}:
runBusybox "patchelf-bootstrap"
  {
    inherit loader;
    packages = toString packages;
  }
  ''
    mkdir "$out"
    find $packages -type f -o -type l | grep '/\(lib.*\.so[.0-9]*\|patchelf\)$' | while read -r file; do
      # An absolute link would lead to the machine's own library where there is no sandbox.
      case $(readlink "$file" || :) in
        /*) ;;
        *) [ ! -e "$file" ] || cp -Lf "$file" "$out/" ;;
      esac
    done
    find $packages -type f -name "$loader" | head -n 1 | while read -r file; do cp -L "$file" "$out/loader"; done
    chmod +x "$out/loader" "$out/patchelf"
  ''
