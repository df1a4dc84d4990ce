"""Images and applications with hostile texts in every field, and copies of them with marks instead.

One project holds a copy of the same few models for each change of `hostile.CHANGES`. In a copy, every
text that the models accept so has that change. A twin of the project has marks in the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
from hostile import CHANGES, Place, harmless, hostile, places

from nixgen.models import (
    Application,
    CommandCheck,
    ConfigFile,
    Environment,
    Hardening,
    HttpCheck,
    Image,
    NixModule,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    User,
    Workload,
    text,
    walk,
)
from nixgen.models.fields import LINES
from nixgen.models.rules.check import check
from nixgen.models.rules.visit import visit_of

__all__ = ["ENVIRONMENT", "accepted_places", "combined", "copy_of", "empty_fields", "texts_of"]

#: The environment that the applications are rendered for.
ENVIRONMENT = "hostile"

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX"
#: These name what must exist: a file of the project, a package of the lock.
_NAMES_OF_THINGS = {(Source, "path"), (NixModule, "path"), (Package, "name")}


def copy_of(number: int) -> Project:
    """The models of one copy, unchanged: a web server, a job and a tool.

    :param number: Number of the copy, in all names that must be unique.
    """
    bash = Package("bash", main="bash")
    site = Source("site", name="site")
    script = ConfigFile("start.sh", text("#!${bash}/bin/bash\nexec true\n", bash=bash))
    port = Port(8080, name="http", protocol="tcp", public=False)
    job = Service(
        f"job-{number}",
        command=[bash.program, "-c", "true"],
        health=CommandCheck([bash.program, "word", text("a${bash}b", bash=bash)]),
        user=User("root", description="Runs jobs"),
        hardening=Hardening(
            filesystem="full",
            writable=["/srv/data"],
            capabilities=["CAP_CHOWN"],
            address_families=["AF_INET"],
            system_calls=["@system-service", "~ptrace"],
        ),
    )
    web = Service(
        f"web-{number}",
        command=[bash.program, "word", text("--root=${site} x", site=site), script],
        setup=[[bash.program, "word", text("a${site}b", site=site)]],
        description="is described",
        environment={"VALUE": "value", "PLACE": "here", "PATHS": text("${site}:x", site=site), f"OVER_{number}": "old"},
        ports=[port],
        health=HttpCheck("/health", port=port, status=204, contains="answers"),
        packages=[bash],
        depends_on=[job],
        secrets=[Secret("token", file="/run/keys/token")],
        user=User(
            "app", uid=1200, gid=1300, home="/srv/home", groups=["video"], system=False,
            description="Runs the server", shell="/bin/sh", authorized_keys=[_KEY],
        ),
        working_directory="/srv/work",
        state_directory="data",
        runtime_directory="app",
        restart="always",
    )  # fmt: skip
    images = [
        Image(f"web-{number}", service=web, packages=[bash], tag="v1", labels={"title": "label"}),
        Image(f"job-{number}", service=job),
        Image(f"tool-{number}", command=[bash.program, "word", text("a${bash}b", bash=bash)]),
    ]
    application = Application(
        f"app-{number}",
        namespace=f"space-{number}",
        registry="registry.example.org/team",
        labels={"example.org/team": "shop"},
        kubernetes_version="1.29",
        modules=[NixModule("module.nix")],
        workloads=[
            Workload(web, image=images[0], environment={"PLACE": "there"}, storage=64, labels={"tier": "front"}),
            Workload(job, image=images[1], replicas=2),
        ],
    )  # fmt: skip
    unowned = Application(
        f"unowned-{number}", namespace="shared", create_namespace=False, modules=application.modules
    )
    return Project(
        "hostile",
        images=images,
        applications=[application, unowned],
        environments=[Environment(ENVIRONMENT, variables={f"OVER_{number}": "new"})],
    )


def texts_of(project: Project) -> Iterator[Place]:
    """Yield the texts of a copy that can be changed without another file or package."""
    for place in places(project):
        # the project and its environment hold all copies
        shared = isinstance(place.model, Project) or (
            isinstance(place.model, Environment) and place.field == "name"
        )
        if not shared and (type(place.model), place.field) not in _NAMES_OF_THINGS:
            yield place


def accepted_places(number: int) -> tuple[list[int], set[str]]:
    """The numbers of the places of a copy in which the models accept the change of that number, and
    the names of places where they accept the change and no mark instead of it.

    :param number: Number of the copy and of its change in `CHANGES`.
    """
    change = CHANGES[number]
    project, twin = copy_of(number), copy_of(number)
    accepted, own_language = [], set()
    for place, other in zip(texts_of(project), texts_of(twin), strict=True):
        if not _accepts(project, place, hostile(change)):
            continue
        if _accepts(twin, other, harmless(change, place.number)):
            accepted.append(place.number)
        else:
            own_language.add(place.name)
    return accepted, own_language


def _accepts(project: Project, place: Place, change: Callable[[str], str]) -> bool:
    """Change a text, and put it back when the models refuse it."""
    undo = place.change(change)
    visit_of.cache_clear()
    problems = check(project)
    if problems:
        undo()
    return not problems


def combined(accepted: Sequence[Sequence[int]], *, marked: bool) -> Project:
    """One project with all copies, changed.

    :param accepted: Numbers of the places to change, for each copy.
    :param marked: True for a mark in each place, False for the hostile text.
    """
    copies = []
    for number, numbers in enumerate(accepted):
        project = copy_of(number)
        for place in texts_of(project):
            if place.number in numbers:
                change = CHANGES[number]
                place.change(harmless(change, place.number) if marked else hostile(change))
        copies.append(project)
    visit_of.cache_clear()
    variables: dict[str, Any] = {}
    for project in copies:
        for environment in project.environments:
            variables |= environment.variables
    whole = Project(
        "hostile",
        images=[image for project in copies for image in project.images],
        applications=[each for project in copies for each in project.applications],
        environments=[Environment(ENVIRONMENT, variables=variables)],
    )
    visit_of.cache_clear()
    return whole


def empty_fields(project: Project) -> set[str]:
    """The fields for text that are empty in every model: no text of them can be changed.

    :param project: Project to walk.
    """
    given: dict[str, bool] = {}
    for _, model in walk(project):
        for field in attrs.fields(type(model)):
            if field.metadata.get(LINES):
                name = f"{type(model).__name__}.{field.name}"
                given[name] = given.get(name, False) or bool(getattr(model, field.name))
    return {name for name, has_value in given.items() if not has_value}
