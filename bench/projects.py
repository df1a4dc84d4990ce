"""Projects made to measure: as many machines and services as asked for."""

from __future__ import annotations

from collections.abc import Sequence

from nixgen.models import (
    ConfigFile,
    HttpCheck,
    Machine,
    Package,
    Port,
    Project,
    Service,
    User,
    text,
)

__all__ = ["fleet"]


def fleet(machines: int, services: int = 10, salts: Sequence[str] = ()) -> Project:
    """``machines`` machines of ``services`` services each; every value is its own object, nothing is shared.

    :param salts: for each machine, a word that changes what is made of it.
    """
    return Project(
        "fleet",
        machines=[
            Machine(
                f"m-{number}",
                services=[
                    _service(number, index, salts[number] if salts else "")
                    for index in range(services)
                ],
            )
            for number in range(machines)
        ],
    )


def _service(machine: int, index: int, salt: str) -> Service:
    program = Package("python3")
    config = ConfigFile(
        f"service-{index}.conf",
        text("name = service-${p}\nmachine = " + str(machine) + "\nmode = fast\n", p=program),
    )
    return Service(
        f"service-{index}",
        description=f"Service {index} of machine {machine} {salt}".rstrip(),
        command=[program / "bin/python3", "-m", "http.server", str(8000 + index), config],
        environment={"PORT": str(8000 + index), "NAME": f"service {index}", "CONFIG": config},
        ports=[Port(8000 + index, name="http")],
        health=HttpCheck("/"),
        user=User(f"user-{index}", uid=2000 + index),
    )
