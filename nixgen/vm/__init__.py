"""Machine tests under QEMU, with the interface of the NixOS test driver.

A test goes down this chain; each folder may import only those after it:

- `run`: one run of a test: machines, script, time limit, report.
- `interface`: the names and methods that a test script uses, as in the NixOS test driver.
- `qemu`: a node as a QEMU process, its accelerator and its disks.
- `channels`: connections to a guest: root shell, serial console, QEMU's monitor, network switch.
- `record`: events while the test runs, the journal of its steps, and the report.

`spec` reads vm.json, the document that describes a test.
"""
