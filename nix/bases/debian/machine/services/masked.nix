/**
  Units and generators of Debian's systemd that a machine of this base does without, each with the reason.
*/
let
  because = _reason: names: names;
in
{
  units = builtins.concatLists [
    (because "nobody sits at the console; nixgen-shell is the way in" [
      "console-getty.service"
      "getty.target"
      "getty-static.service"
      "serial-getty@.service"
      "systemd-ask-password-console.path"
      "systemd-ask-password-wall.path"
      "systemd-logind.service"
      "systemd-user-sessions.service"
    ])
    (because "the root is in memory: there is nothing to keep, clean, grow or decrypt" [
      "cryptsetup.target"
      "integritysetup.target"
      "remote-cryptsetup.target"
      "remote-veritysetup.target"
      "systemd-boot-system-token.service"
      "systemd-growfs-root.service"
      "systemd-journal-flush.service"
      "systemd-machine-id-commit.service"
      "systemd-pcrphase-sysinit.service"
      "systemd-pcrphase.service"
      "systemd-random-seed.service"
      "systemd-remount-fs.service"
      "systemd-repart.service"
      "systemd-tmpfiles-clean.timer"
      "systemd-update-done.service"
      "systemd-update-utmp-runlevel.service"
      "systemd-update-utmp.service"
      "veritysetup.target"
    ])
    (because "users, machine-id and hardware data are written when the machine is built" [
      "ldconfig.service"
      "systemd-firstboot.service"
      "systemd-hwdb-update.service"
      "systemd-sysusers.service"
    ])
    (because "the machine decides: no clock but the host's, no package manager, no upgrades" [
      "apt-daily-upgrade.timer"
      "apt-daily.timer"
      "dpkg-db-backup.timer"
      "e2scrub_all.timer"
      "e2scrub_reap.service"
      "fstrim.timer"
      "nftables.service"
      "systemd-timesyncd.service"
    ])
    (because "the initrd has loaded what is needed, and devtmpfs has the nodes" [
      "kmod-static-nodes.service"
      "systemd-modules-load.service"
      "systemd-tmpfiles-setup-dev.service"
    ])
    (because "mounted on no machine of this base, and every mount takes its share of the boot" [
      "dev-hugepages.mount"
      "dev-mqueue.mount"
      "proc-sys-fs-binfmt_misc.automount"
      "sys-fs-fuse-connections.mount"
      "sys-kernel-config.mount"
      "sys-kernel-debug.mount"
      "sys-kernel-tracing.mount"
      "systemd-binfmt.service"
    ])
  ];

  # They run at every start and every daemon-reload, before the first unit.
  generators = [
    "systemd-bless-boot-generator"
    "systemd-cryptsetup-generator"
    "systemd-debug-generator"
    "systemd-fstab-generator"
    "systemd-getty-generator"
    "systemd-gpt-auto-generator"
    "systemd-hibernate-resume-generator"
    "systemd-integritysetup-generator"
    "systemd-rc-local-generator"
    "systemd-run-generator"
    "systemd-system-update-generator"
    "systemd-sysv-generator"
    "systemd-veritysetup-generator"
  ];
}
