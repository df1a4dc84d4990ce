/**
  The trivial builders of nixpkgs that nixgen emits, on busybox.
*/
{
  runBusybox,
  busybox,
  shell,
}:
rec {
  /**
    A file. executable: with the right to run.  destination: below $out, such as /bin/start; $out itself when empty.
  */
  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
    }:
    runBusybox name
      {
        inherit text destination;
        passAsFile = [ "text" ];
        mode = if executable then "755" else "644";
      }
      ''
        target=$out$destination
        mkdir -p "$(dirname "$target")"
        cp "$textPath" "$target"
        chmod "$mode" "$target"
      '';

  writeText = name: text: writeTextFile { inherit name text; };

  writeShellScript =
    name: text:
    writeTextFile {
      inherit name;
      text = "#!${shell}\n${text}";
      executable = true;
    };

  writeShellScriptBin =
    name: text:
    writeTextFile {
      inherit name;
      text = "#!${shell}\n${text}";
      executable = true;
      destination = "/bin/${name}";
    };

  /**
    As nixpkgs' runCommand, but with busybox and no stdenv: variables and a POSIX script that makes $out.
  */
  runCommand = runBusybox;

  /**
    Links to everything below several trees; folders are merged, and of equal names the first counts.
  */
  symlinkJoin =
    { name, paths }:
    runBusybox name { paths = toString paths; } ''
      mkdir -p "$out"
      for tree in $paths; do
        find "$tree/" -type d | while read -r folder; do mkdir -p "$out/''${folder#"$tree/"}"; done
        find "$tree/" ! -type d | while read -r file; do
          target=$out/''${file#"$tree/"}
          [ -e "$target" ] || [ -L "$target" ] || ln -s "$file" "$target"
        done
      done
    '';

  /**
    The name that symlinkJoin has in newer trees.
  */
  buildEnv = symlinkJoin;
}
