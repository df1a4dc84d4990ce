# What an image has at / besides the store. contents, nearby: packages; passwd, group: the files' text; joinedShare,
# leftOutShare, joinedEtc, leftOutEtc: names of folders of packages (data/image-folders.json), where * and ? match.
# absolutePaths, linkRoots, and the file graph: see absolute-paths/default.nix.

mkdir -p "$out"
cd "$out"
mkdir -p bin etc root run tmp usr/share var/cache var/lib var/log var/tmp
ln -s ../bin usr/bin
ln -s ../bin usr/sbin
ln -s bin sbin
ln -s ../run var/run
printf %s "$passwd" > etc/passwd
printf %s "$group" > etc/group
echo 'hosts: files dns' > etc/nsswitch.conf

# link_into FOLDER FILE…: links where nothing is yet.
link_into() {
  folder=$1
  shift
  for file in "$@"; do
    target=$folder/${file##*/}
    [ ! -e "$file" ] || [ -e "$target" ] || [ -L "$target" ] || ln -s "$file" "$target"
  done
}

# matches NAME PATTERNS: whether one of the patterns, which blanks separate, is the name's.
matches() {
  set -f
  for pattern in $2; do
    case $1 in $pattern) set +f && return 0 ;; esac
  done
  set +f
  return 1
}

# link_data FOLDER JOINED LEFT_OUT FILE…: links to data of packages. Folders that several packages fill, such as
# /usr/share/nodejs, are joined: they are real, and what is in them is linked.
link_data() {
  parent=$1
  joined=$2
  left_out=$3
  shift 3
  for each in "$@"; do
    name=${each##*/}
    if matches "$name" "$left_out"; then
      continue
    elif matches "$name" "$joined"; then
      mkdir -p "$parent/$name"
      link_into "$parent/$name" "$each"/*
    else
      link_into "$parent" "$each"
    fi
  done
}

for package in $contents; do link_into bin "$package"/bin/*; done
for package in $nearby; do
  link_data usr/share "$joinedShare" "$leftOutShare" "$package"/usr/share/*
  link_data etc "$joinedEtc" "$leftOutEtc" "$package"/etc/*
  if [ -d "$package/var" ]; then
    (cd "$package" && find var -type d) | while read -r folder; do mkdir -p "$folder"; done
  fi
done

base=
. "$absolutePaths/links.sh"
find_wanted $contents "$linkRoots"
link_wanted
# What was asked for is found, though nothing depends on it: locales, for example.
for package in $contents; do
  for each in "$package"/usr/lib/*; do
    case ${each##*/} in *-linux-gnu*) continue ;; esac
    [ ! -d "$each" ] || link_at "usr/lib/${each##*/}" "$each"
  done
done
# What update-ca-certificates would write. The list of a fresh installation is all of Mozilla's.
if [ -d usr/share/ca-certificates/mozilla ]; then
  [ ! -L etc/ssl ] || rm etc/ssl
  [ ! -L etc/ssl/certs ] || rm etc/ssl/certs
  mkdir -p etc/ssl/certs
  cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt
  # OpenSSL's own file, also for programs that only have its library, such as Python; its package has the same link.
  if [ ! -e usr/lib/ssl ] && [ ! -L usr/lib/ssl ]; then
    mkdir -p usr/lib/ssl
    ln -s /etc/ssl/certs/ca-certificates.crt usr/lib/ssl/cert.pem
  fi
fi
[ ! -d usr/lib ] || ln -s usr/lib lib
