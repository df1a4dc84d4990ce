# The certificates that Java trusts, as its package would make them at installation: those of ca-certificates, in the format
# JKS. That is a header, an entry for each certificate and a SHA-1 of a password and all of these:
# https://github.com/openjdk/jdk17u/blob/master/src/java.base/share/classes/sun/security/provider/JavaKeyStore.java
# The password is the one that every Java has for this file, `changeit`; what is in it is public.

store=$out/etc/ssl/certs/java/cacerts
certificates=$(find_in /usr/share/ca-certificates/mozilla)
[ -n "$certificates" ] || refuse "$out" "no dependency has certificates"

# bytes SIZE NUMBER: a number, the highest byte first.
bytes() {
  printf "$(printf "%0$(($1 * 2))x" "$2" | sed 's/../\\x&/g')"
}

# text STRING: its length and itself.
text() {
  bytes 2 "${#1}"
  printf %s "$1"
}

set -- "$certificates"/*.crt
{
  bytes 4 $((0xfeedfeed))
  bytes 4 2
  bytes 4 $#
  for file in "$@"; do
    name=${file##*/}
    sed '/^-----/d' "$file" | base64 -d > "$NIX_BUILD_TOP/certificate"
    bytes 4 2
    text "debian:$(printf %s "${name%.crt}" | tr 'A-Z' 'a-z' | tr -cd 'a-z0-9_.-')"
    bytes 8 1000
    text X.509
    bytes 4 "$(stat -c %s "$NIX_BUILD_TOP/certificate")"
    cat "$NIX_BUILD_TOP/certificate"
  done
} > "$NIX_BUILD_TOP/entries"
{
  printf '\0c\0h\0a\0n\0g\0e\0i\0t'
  printf 'Mighty Aphrodite'
  cat "$NIX_BUILD_TOP/entries"
} | sha1sum | sed 's/ .*//; s/../\\x&/g' > "$NIX_BUILD_TOP/digest"
mkdir -p "${store%/*}"
{
  cat "$NIX_BUILD_TOP/entries"
  printf "$(cat "$NIX_BUILD_TOP/digest")"
} > "$store"

# Java's folder links to where Debian has the file.
for java in "$out"/usr/lib/jvm/java-*; do
  [ -d "$java/lib/security" ] && [ ! -L "$java" ] || continue
  ln -sfn "$store" "$java/lib/security/cacerts"
done
