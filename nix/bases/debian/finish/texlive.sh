# What TeX reads of an installation, as the triggers of tex-common make it: lists of files, the fonts, the languages, and the
# formats, which are the state of an engine that has read its macros. A program finds it by TEXMFCNF, of
# data/library-variables.json: https://tug.org/texinfohtml/kpathsea.html

texlive=$out/usr/share/texlive/texmf-dist
made=$out/var/lib/texmf
[ ! -e "$texlive/web2c/texmf.cnf" ] || {

mkdir -p "$made/tex/generic/config" "$made/fonts/map/dvips/updmap" "$made/fonts/map/pdftex/updmap"

# The trees of the operator and of a person stay at their places.
sed -i \
  -e "s|^TEXMFROOT *=.*|TEXMFROOT = $out/usr/share/texlive|" \
  -e "s|^TEXMFDEBIAN *=.*|TEXMFDEBIAN = $out/usr/share/texmf|" \
  -e "s|^TEXMFSYSVAR *=.*|TEXMFSYSVAR = $made|" \
  -e "s|^TEXMFCNF *=.*|TEXMFCNF = /etc/texmf/web2c;$texlive/web2c|" \
  "$texlive/web2c/texmf.cnf"

cat var/lib/tex-common/hyphen-cnf/*/*.cnf 2> /dev/null | grep '^name=' > "$NIX_BUILD_TOP/languages" || :
configuration=$texlive/tex/generic/config
# English is the first, and in files of e-TeX the last too. What language.dat.lua leaves out is part of LuaTeX's formats.
{
  cat "$configuration/language.us"
  awk '
    { delete field; for (i = 1; i <= NF; i++) { at = index($i, "="); field[substr($i, 1, at - 1)] = substr($i, at + 1) } }
    { print field["name"], field["file"] }
    field["synonyms"] { count = split(field["synonyms"], names, ","); for (i = 1; i <= count; i++) print "=" names[i] }
  ' "$NIX_BUILD_TOP/languages"
} > "$made/tex/generic/config/language.dat"
{
  cat "$configuration/language.us.def"
  awk '
    { delete field; field["lefthyphenmin"] = 2; field["righthyphenmin"] = 3 }
    { for (i = 1; i <= NF; i++) { at = index($i, "="); field[substr($i, 1, at - 1)] = substr($i, at + 1) } }
    {
      count = split(field["name"] "," field["synonyms"], names, ",")
      for (i = 1; i <= count; i++)
        if (names[i]) printf "\\addlanguage{%s}{%s}{}{%s}{%s}\n", names[i], field["file"], field["lefthyphenmin"], field["righthyphenmin"]
    }
  ' "$NIX_BUILD_TOP/languages"
  echo '\uselanguage {USenglish}'
} > "$made/tex/generic/config/language.def"
{
  cat "$configuration/language.us.lua"
  echo '}'
} > "$made/tex/generic/config/language.dat.lua"
for file in language.dat language.def language.dat.lua; do ln -sfn "$made/tex/generic/config/$file" "$configuration/$file"; done

# Lines of a map are for both programs, which take what they know of them.
find "$texlive/fonts/map" "$out/usr/share/texmf/fonts/map" -name '*.map' | sort > "$NIX_BUILD_TOP/maps"
cat var/lib/tex-common/fontmap-cfg/*/*.cfg | awk '$1 == "Map" || $1 == "MixedMap" { print $2 }' | sort -u |
  while read -r map; do
    grep -F "/$map" "$NIX_BUILD_TOP/maps" | head -n 1 | tr '\n' '\0' | xargs -0 -r grep -h '^[^%#*; ]'
  done | sort -u > "$made/fonts/map/pdftex/updmap/pdftex.map"
cp "$made/fonts/map/pdftex/updmap/pdftex.map" "$made/fonts/map/dvips/updmap/psfonts.map"

# list_files TREE: its ls-R, by which programs find files.
list_files() {
  rm -f "$1/ls-R"
  (cd "$1" && find -L . ! -name ls-R 2> /dev/null) | LC_ALL=C sort | awk '
    BEGIN { print "% ls-R -- filename database for kpathsea; do not change this line." }
    $0 == "." { next }
    { match($0, /.*\//); folder = substr($0, 1, RLENGTH - 1); names[folder] = names[folder] "\n" substr($0, RLENGTH + 1) }
    !(folder in seen) { seen[folder] = 1; order[++count] = folder }
    END { for (i = 1; i <= count; i++) print "\n" order[i] ":" names[order[i]] }
  ' > "$NIX_BUILD_TOP/ls-R"
  mv "$NIX_BUILD_TOP/ls-R" "$1/ls-R"
}
for tree in "$texlive" "$out/usr/share/texmf" "$made"; do [ ! -d "$tree" ] || list_files "$tree"; done

# Of this unit only, and at the time that everything in the store has: the same bytes whenever they are made. A format keeps
# the names of files, compressed, so they are relative: Nix could not find a store path in it.
nothing=$NIX_BUILD_TOP/nothing
mkdir "$nothing"
# make_format FORMAT ENGINE ARGUMENT…
make_format() {
  (
    cd "$out"
    export HOME=$nothing TEXMFHOME=$nothing TEXMFVAR=$nothing TEXMFCONFIG=$nothing TEXMFLOCAL=$nothing TEXMFSYSCONFIG=$nothing
    export TEXMFROOT=usr/share/texlive TEXMFDEBIAN=usr/share/texmf TEXMFSYSVAR=var/lib/texmf
    export TEXMFCNF=usr/share/texlive/texmf-dist/web2c SOURCE_DATE_EPOCH=1 FORCE_SOURCE_DATE=1
    name=$1
    engine=$2
    shift 2
    "bin/$engine" -ini -interaction=nonstopmode -jobname="$name" -progname="$name" "$@" > "$NIX_BUILD_TOP/log" < /dev/null 2>&1
  ) || refuse "$out" "its format $1 cannot be made: $(tail -n 20 "$NIX_BUILD_TOP/log")"
  case $2 in mf | mf-nowin) folder=metafont ;; *) folder=$2 ;; esac
  mkdir -p "$made/web2c/$folder"
  rm -f "$out/$1.log"
  for kind in fmt base; do [ ! -e "$out/$1.$kind" ] || mv "$out/$1.$kind" "$made/web2c/$folder/"; done
  [ -e "$made/web2c/$folder/$1.fmt" ] || [ -e "$made/web2c/$folder/$1.base" ] || refuse "$out" "its format $1 was not made"
}

# make_later FORMAT ENGINE ARGUMENT…: a program that makes its format when a person first calls it, in the folder of that person.
# Lua puts the words of a table into an order that depends on the time, so the formats of its engines differ each time.
make_later() {
  format=$1
  engine=$2
  shift 2
  [ -e "bin/$format" ] || return 0
  rm "bin/$format"
  cat > "bin/$format" <<END
#!$busybox/bin/sh
[ -e /etc/texmf/web2c/texmf.cnf ] || export TEXMFCNF="\${TEXMFCNF-$texlive/web2c}"
case " \$* " in
  *' -ini '* | *' --ini '*) ;;
  *)
    formats=\$("$out/bin/kpsewhich" -var-value=TEXMFVAR)/web2c/${out##*/}
    if [ ! -e "\$formats/$format.fmt" ]; then
      "$busybox/bin/busybox" mkdir -p "\$formats"
      folder=\$("$busybox/bin/busybox" mktemp -d "\$formats/XXXXXX") || exit 1
      (cd "\$folder" && "$out/usr/bin/$engine" -ini -interaction=nonstopmode -jobname=$format -progname=$format $* > log < /dev/null) ||
        { echo "the format is not made: \$folder/log says why" >&2; exit 1; }
      "$busybox/bin/busybox" mv -f "\$folder/$format.fmt" "\$formats/$format.fmt"
      "$busybox/bin/busybox" rm -r "\$folder"
    fi
    set -- "-fmt=\$formats/$format.fmt" "\$@"
    ;;
esac
exec "$out/usr/bin/$format" "\$@"
END
  chmod +x "bin/$format"
}

cat var/lib/tex-common/fmtutil-cnf/*/*.cnf | grep '^[^#%]' | sort -u > "$NIX_BUILD_TOP/formats"
while read -r format engine _ arguments; do
  [ -x "bin/$engine" ] || continue
  # a word such as *latex.ini is no pattern of files
  set -f
  case $engine in
    # Knuth's own program takes the time from the clock alone; the format has what its parameters say at the end
    tex) make_format "$format" tex '\year=1970 \month=1 \day=1 \time=0 \input' $arguments ;;
    lua*) make_later "$format" "$engine" $arguments ;;
    *) make_format "$format" "$engine" $arguments ;;
  esac
  set +f
done < "$NIX_BUILD_TOP/formats"
list_files "$made"
}
