# Unpacking a .deb inside a build. Sourced; needs busybox on PATH.

refuse() {
  echo "refusing $1: $2" >&2
  exit 1
}

# unpack DEB FOLDER: the package's files, over what is in FOLDER.
#
# The whole listing is judged before anything is written: no absolute names, no "..", no devices, no names that lead
# through a link of the same archive. Set-id bits are legitimate in packages (su, mount) and meaningless in a store:
# they are dropped.
unpack() {
  member=$(ar t "$1" | grep '^data\.tar' || :)
  case $member in
    data.tar) decode=cat ;;
    data.tar.gz) decode=gunzip ;;
    data.tar.xz) decode=unxz ;;
    *) refuse "$1" "its files are in '$member'; only tar, tar.gz and tar.xz are known" ;;
  esac
  ar p "$1" "$member" | $decode > "$NIX_BUILD_TOP/data.tar"
  # busybox strips unsafe prefixes by itself and says so; that is a reason to refuse, not to go on.
  tar -tvf "$NIX_BUILD_TOP/data.tar" > "$NIX_BUILD_TOP/listing" 2> "$NIX_BUILD_TOP/complaints" ||
    refuse "$1" "$(cat "$NIX_BUILD_TOP/complaints")"
  [ ! -s "$NIX_BUILD_TOP/complaints" ] || refuse "$1" "$(cat "$NIX_BUILD_TOP/complaints")"
  awk '
    {
      kind = substr($0, 1, 1)
      # MODE OWNER SIZE DATE TIME NAME; a name may hold spaces.
      name = $0
      sub(/^[^ ]+ +[^ ]+ +[0-9]+ [0-9]+-[0-9]+-[0-9]+ [0-9:]+ /, "", name)
      if (kind == "l") sub(/ -> .*/, "", name)
      if (kind !~ /[-dlh]/) { print "a special file: " name; exit }
      if (name ~ /^\// || name ~ /(^|\/)\.\.(\/|$)/) { print "an unsafe name: " name; exit }
      sub(/\/$/, "", name)
      count = split(name, parts, "/")
      path = parts[1]
      for (i = 2; i <= count; i++) {
        if (path in link) { print "a name through a link: " name; exit }
        path = path "/" parts[i]
      }
      if (kind == "l") link[path] = 1
    }
  ' "$NIX_BUILD_TOP/listing" > "$NIX_BUILD_TOP/complaints"
  [ ! -s "$NIX_BUILD_TOP/complaints" ] || refuse "$1" "$(cat "$NIX_BUILD_TOP/complaints")"
  tar -xof "$NIX_BUILD_TOP/data.tar" -C "$2" --no-same-permissions
  rm "$NIX_BUILD_TOP/data.tar"
  # Dropped and made writable in one step: Nix forbids builders any chmod that would keep a set-id bit.
  chmod -R u-s,g-s,u+w "$2"
}
