/**
  { name, packages } → a folder whose bin/ has the programs of the packages; of equal names the first counts.
*/
{ runBusybox }:
{ name, packages }:
runBusybox "${name}-shell" { packages = toString packages; } ''
  mkdir -p "$out/bin"
  for package in $packages; do
    for program in "$package"/bin/*; do
      target=$out/bin/''${program##*/}
      [ ! -e "$program" ] || [ -e "$target" ] || ln -s "$program" "$target"
    done
  done
''
