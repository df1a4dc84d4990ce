# Sourced by run and enter: a Debian of another suite in a folder, with its Nix and its Python. Needs root.
# shellcheck shell=bash
#
# The whole test run moves into that Debian, instead of its Nix coming out: nixgen reads the store's files and its
# database itself, so tests and Nix must see one /nix; and as Debian has every Python package that nixgen needs, the
# versions that its users have are tested, too, and nothing is asked for but a Debian mirror.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
roots=${XDG_CACHE_HOME:-$HOME/.cache}/nixgen/matrix

# shellcheck source=../../scripts/_setup.sh
. "$checkout/scripts/_setup.sh"

suites=(trixie sid) # Debian 13 and unstable; Debian 12 is what scripts/test runs on

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

packages=(
  # nixgen and its tests, as pyproject.toml names them
  python3-attr python3-boto3 python3-cryptography python3-jinja2 python3-jsonschema python3-rich
  python3-typer python3-urllib3 python3-waitress python3-yaml python3-zstandard
  python3-flask-cors python3-hatchling python3-hypothesis python3-moto python3-pip python3-pytest python3-pytest-xdist
  # what they start
  busybox-static ca-certificates debian-archive-keyring docker-registry git gpgv jq nix-bin openssh-client openssh-server procps skopeo squashfs-tools xz-utils
)

# The comment at the top of the script.
usage() { sed -n '2,/^[^#]/s/^# \?//p' "$0"; }

need_suite() {
  [[ " ${suites[*]} " != *" ${1:-none} "* ]] || return 0
  echo "which Debian? one of: ${suites[*]}" >&2
  exit 2
}

need_root() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "this makes and enters another Debian, which only root may do; run: sudo $0" >&2
    exit 3
  fi
  if ! unshare --mount --pid --fork true 2>/dev/null; then
    echo "this needs namespaces of its own, which this computer (a container?) does not allow" >&2
    exit 3
  fi
}

# Debian's archives as apt uses them here, as lines of a sources.list; nothing else knows a mirror.
debian_archives() {
  apt-get indextargets --format "deb [signed-by=$keyring] \$(SITE) \$(CODENAME) main" 'Identifier: Packages' 'Origin: Debian' | sort -u
}

# The mirror of the main one, up to and without /dists.
debian_mirror() {
  local mirror
  mirror=$(apt-get indextargets --format '$(SITE)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  if [ -z "$mirror" ]; then
    echo "apt knows no Debian mirror; configure one in /etc/apt, then run: apt-get update" >&2
    exit 3
  fi
  echo "$mirror"
}

# What this computer's apt needs to reach its mirror (proxies, certificates, lenience about dates), for the new Debian.
apt_options() { apt-config dump | grep -E '^Acquire::(https?|ftp|Check-|Retries|ForceIPv|AllowInsecure|AllowWeak)' || true; }

# build_root SUITE FOLDER: a new Debian in an empty folder.
build_root() {
  local suite=$1 new=$2 mirror
  mirror=$(debian_mirror)
  apt_options >"$new.conf"
  debian_archives >"$new.list"
  # Packages that machines are locked to are looked up where this computer would: its own suites join when all is installed.
  mmdebstrap --quiet --variant=minbase --include="${packages[*]}" --aptopt="$new.conf" --skip=cleanup/apt/lists \
    --customize-hook="upload $new.list /etc/apt/sources.list.d/host.list" --customize-hook='chroot "$1" apt-get update -qq' \
    "$suite" "$new" "deb [signed-by=$keyring] $mirror $suite main"
}

# Make the Debian of suite $1, unless it is there as build_root would make it, and keep it from being replaced until this
# script ends.
make_root() {
  local suite=$1 root=$roots/$1 wanted new
  wanted=$(sha256sum <<<"$suite ${packages[*]} $(declare -f build_root)")
  mkdir -p "$roots"
  exec {lock}>"$root.lock"
  if [ "$(cat "$root.ready" 2>/dev/null)" != "$wanted" ]; then
    need_packages mmdebstrap debian-archive-keyring
    flock --nonblock "$lock" || { say "waiting for others that use $root" && flock "$lock"; }
  fi
  if [ "$(cat "$root.ready" 2>/dev/null)" != "$wanted" ]; then
    say "making a Debian $suite in $root, from this computer's mirror (700 MB, some minutes, once)"
    rm -rf --one-file-system "$root" "$root".new*
    new=$root.new
    mkdir "$new"
    build_root "$suite" "$new"
    mv "$new" "$root"
    rm "$new".*
    echo "$wanted" >"$root.ready"
  fi
  flock --shared "$lock"
}

# Have the Debian of suite $1 made anew.
forget_root() { rm -f "$roots/$1.ready"; }

# What a JUnit report says in one line.
counts() {
  python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).find("testsuite")
tests, failures, errors, skipped = (int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
print(f"{tests - failures - errors - skipped} passed, {failures + errors} failed, {skipped} skipped in {float(suite.get('time')):.0f} s")
PYTHON
}

# enter_root ROOT FOLDER [ro|rw DIRECTORY]… -- COMMAND…: run the command in FOLDER of that Debian, with these directories at the
# same place in it. Mounts and processes are in namespaces of their own: nothing of either outlives the command. It is a pivot_root,
# no chroot, because only the former may make the user namespaces of Nix's sandbox.
enter_root() {
  local variable kept=()
  for variable in TERM CI HYPOTHESIS_PROFILE NIXGEN_NIXPKGS NIXGEN_KUBENIX NIXGEN_DEBIAN_MIRROR {http,https,no}_proxy; do
    [ -z "${!variable:-}" ] || kept+=("$variable=${!variable}")
  done
  env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" \
    setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child -- bash -euc '
      root=$1 folder=$2
      shift 2
      mount --bind "$root" "$root"
      mount -t proc proc "$root/proc"
      mount -t tmpfs -o mode=755 tmpfs "$root/run"
      mount --rbind /dev "$root/dev"
      mount --rbind /sys "$root/sys"
      for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$file" ] || { touch "$root$file"; mount -o bind,ro "$file" "$root$file"; }
      done
      while [ "$1" != -- ]; do
        mkdir -p "$root$2"
        mount -o "rbind,$1" "$2" "$root$2"
        shift 2
      done
      shift
      cd "$root"
      pivot_root . .
      umount --lazy .
      cd "$folder"
      "$@" # no exec: the first process of a namespace ignores signals, and has to collect orphans
      exit
    ' enter "$@"
}
