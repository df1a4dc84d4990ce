# What an image has at / besides the store. contents, nearby: packages; passwd, group: the files' text.

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

for package in $contents; do link_into bin "$package"/bin/*; done
for package in $nearby; do
  # Folders that several packages fill, such as /usr/share/nodejs, are real; what is in them is linked.
  for file in "$package"/usr/share/*; do
    case ${file##*/} in
      applications | apport | icons | menu | metainfo | perl5 | pixmaps | python3 | vim) ;;
      ca-certificates | nodejs)
        mkdir -p "usr/share/${file##*/}"
        link_into "usr/share/${file##*/}" "$file"/*
        ;;
      *) link_into usr/share "$file" ;;
    esac
  done
  for file in "$package"/etc/*; do
    case ${file##*/} in
      apparmor.d | cron.* | default | init.d | kernel | logrotate.d | pam.d | rc?.d | skel | sysctl.d | systemd | ufw) ;;
      ssl) mkdir -p etc/ssl && link_into etc/ssl "$file"/* ;;
      *) link_into etc "$file" ;;
    esac
  done
  if [ -d "$package/var" ]; then
    (cd "$package" && find var -type d) | while read -r folder; do mkdir -p "$folder"; done
  fi
done

# What update-ca-certificates would write. The list of a fresh installation is all of Mozilla's.
if [ -d usr/share/ca-certificates/mozilla ]; then
  [ ! -L etc/ssl ] || rm etc/ssl
  [ ! -L etc/ssl/certs ] || rm etc/ssl/certs
  mkdir -p etc/ssl/certs
  cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt
fi
