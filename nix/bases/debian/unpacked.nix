/**
  One package as Debian lays it out, unpatched: what machines join into their userland, and what bootstraps patching.

  # Inputs
  name: the lock's.  locked, deb: its entry and its file.
*/
{ runBusybox, leaveOut }:
name: locked: deb:
runBusybox "${name}-unpacked"
  {
    inherit deb leaveOut;
  }
  ''
    . ${./unpack.sh}
    mkdir "$out"
    unpack "$deb" "$out"
    cd "$out"
    rm -rf $leaveOut
  ''
