
# The secrets of a test (docs/contracts.md, 5), before the first service starts.
secrets=/sys/firmware/qemu_fw_cfg/by_name/opt/nixgen/secrets/raw
if [ -e "$secrets" ]; then
  # The exit of init panics the kernel, which ends the machine.
  tar -x -f "$secrets" -C / || { echo "nixgen: cannot write the secrets of the test" >/dev/console; exit 1; }
fi
