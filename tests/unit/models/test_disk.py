"""Boot, disks and initial files: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Boot, FileSystem, Machine, Project, TmpfilesRule, check
from nixgen.models.disk import TmpfilesPath


def machine(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", **fields)])


FAULTS = {
    "loader": (machine(boot=Boot(loader="lilo")), "machines.m.boot.loader"),
    "grub without a disk": (machine(boot=Boot(loader="grub")), "machines.m.boot.device"),
    "disk without grub": (machine(boot=Boot(device="/dev/vda")), "machines.m.boot.device"),
    "kernel parameter": (
        machine(boot=Boot(kernel_parameters=["a b"])),
        "machines.m.boot.kernel_parameters[0]",
    ),
    "sysctl": (machine(boot=Boot(sysctl={"vm.x": 1.5})), "machines.m.boot.sysctl['vm.x']"),
    "mount point": (
        machine(file_systems=[FileSystem("data", device="/dev/vdb")]),
        "machines.m.file_systems[0].mount_point",
    ),
    "mount point with a parent": (
        machine(file_systems=[FileSystem("/srv/../etc", device="/dev/vdb")]),
        "machines.m.file_systems[0].mount_point",
    ),
    "file system type": (
        machine(file_systems=[FileSystem("/srv", device="/dev/vdb", fs_type="ext4,xfs")]),
        "machines.m.file_systems[0].fs_type",
    ),
    "tmpfiles type": (
        machine(tmpfiles=[TmpfilesRule("/x", type="dir")]),
        "machines.m.tmpfiles[0].type",
    ),
    "tmpfiles mode": (
        machine(tmpfiles=[TmpfilesRule("/x", mode="rwx")]),
        "machines.m.tmpfiles[0].mode",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


@pytest.mark.parametrize("word", ["x=à", 'x="', "x='", "x\\", "x\x1by", "x\u2028y"])
def test_a_kernel_parameter_that_the_kernel_would_split_or_join_is_refused(word: str) -> None:
    (problem,) = check(machine(boot=Boot(kernel_parameters=[word])))
    assert problem.path == "machines.m.boot.kernel_parameters[0]"


@pytest.mark.parametrize("mark", "{}|&$;<>`#")
def test_a_kernel_parameter_that_the_script_of_grub_would_run_is_refused(mark: str) -> None:
    word = f"x={mark}reboot"
    grub = Boot(loader="grub", device="/dev/vda", kernel_parameters=["ro", word])
    (problem,) = check(machine(boot=grub))
    assert problem.path == "machines.m.boot.kernel_parameters[1]"
    assert repr(mark) in problem.message
    assert check(machine(boot=Boot(loader="systemd-boot", kernel_parameters=[word]))) == ()


@pytest.mark.parametrize("option", ["ro,exec", "a\x1bb", "a\\040b", 'x="a'])
def test_a_mount_option_that_fstab_would_split_or_change_is_refused(option: str) -> None:
    system = FileSystem("/srv", device="/dev/vdb", options=[option])
    (problem,) = check(machine(file_systems=[system]))
    assert problem.path == "machines.m.file_systems[0].options[0]"


def test_a_mount_option_in_quotes_may_have_commas() -> None:
    system = FileSystem("/srv", device="/dev/vdb", options=['context="u:r:t:s0:c1,c2"'])
    assert check(machine(file_systems=[system])) == ()


@pytest.mark.parametrize("value", [" x", "x ", "\tx", "x\t", "x\\"])
def test_what_a_line_of_sysctl_would_lose_or_continue_is_refused(value: str) -> None:
    project = machine(boot=Boot(sysctl={"kernel.domainname": value}))
    (problem,) = check(project)
    assert problem.message.startswith(("begins with", "ends with"))


@pytest.mark.parametrize("argument", [" x", "x "])
def test_a_blank_at_the_edge_of_an_argument_is_kept_or_refused(argument: str) -> None:
    (problem,) = check(machine(tmpfiles=[TmpfilesRule("/x", type="t", argument=argument)]))
    assert "would be lost" in problem.message
    assert check(machine(tmpfiles=[TmpfilesRule("/x", type="f", argument=argument)])) == ()


def test_a_tab_in_a_path_of_tmpfiles_is_written_as_it_is_in_quotes() -> None:
    # systemd 252 reads the t of "\t"
    assert TmpfilesPath('/srv/a\tb\\"') == '"/srv/a\tb\\\\\\""'
