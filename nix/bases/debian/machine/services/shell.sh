# The other end of the runner's virtio-serial port: a root bash that reads commands from it and answers on it.
# Its stderr, and that of commands that do not redirect it, goes to the serial console.
. /etc/profile
for name in /sys/class/virtio-ports/*/name; do
  read -r text < "$name"
  if [ "$text" = nixgen.shell ]; then
    port=${name%/name}
    # one descriptor: the kernel lets a port be opened once
    exec 0<>"/dev/${port##*/}" 1>&0 2>/dev/console
    echo NIXGEN-SHELL-READY
    exec /usr/bin/bash --norc --noprofile
  fi
done
echo "nixgen-shell: there is no virtio-serial port nixgen.shell" > /dev/console
exit 1
