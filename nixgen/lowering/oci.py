"""An `Image` as an expression that describes one OCI image (docs/contracts.md, image.json)."""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope
from nixgen.models import CommandCheck, Image
from nixgen.syntax import Expr

__all__ = ["DEFAULT_ID", "image_expression"]

#: Whom an image runs as when its service names no user: "nobody" on Debian and elsewhere.
DEFAULT_ID = 65534
#: The id of a service's user that has none of its own; the first that Debian gives to people.
_FIRST_ID = 1000


def image_expression(image: Image) -> Expr:
    scope = Scope()
    service = image.service
    command = image.command or (service.command if service else ())
    config: dict[str, Expr] = {
        "Entrypoint": nix.List(tuple(map(scope.word, command))),
        "WorkingDir": nix.Str((service and service.working_directory) or "/"),
        "Labels": nix.AttrSet({name: nix.Str(value) for name, value in image.labels.items()}),
    }
    variables: dict[str, Expr] = {}
    bindings: dict[str, Expr] = {"name": nix.Str(image.name), "tag": nix.Str(image.tag)}
    uid = gid = DEFAULT_ID
    if service is not None:
        variables = {name: scope.word(value) for name, value in service.environment.items()}
        config["ExposedPorts"] = nix.AttrSet(
            {f"{port.number}/{port.protocol}": nix.AttrSet({}) for port in service.ports}
        )
        if isinstance(service.health, CommandCheck):
            words = tuple(map(scope.word, service.health.command))
            config["Healthcheck"] = nix.AttrSet({"Test": nix.List((nix.Str("CMD"), *words))})
        if service.user is not None:
            user = service.user
            uid = _FIRST_ID if user.uid is None else user.uid
            gid = uid if user.gid is None else user.gid
            bindings["users"] = nix.AttrSet(
                {
                    user.name: nix.AttrSet(
                        {
                            "uid": nix.Int(uid),
                            "gid": nix.Int(gid),
                            "home": nix.Str(user.home or "/"),
                        }
                    )
                }
            )
    config["User"] = nix.Str(f"{uid}:{gid}")
    for package in (*image.packages, *(service.packages if service else ())):
        scope.package(package)
    variables.setdefault("PATH", nix.Str("/bin"))
    config["Env"] = nix.List(
        tuple(_assignment(name, variables[name]) for name in sorted(variables))
    )
    bindings["config"] = nix.AttrSet(config)
    bindings["contents"] = nix.List(tuple(map(scope.package, scope.packages)))
    body = nix.Call(nix.Select(nix.Var("nixgen"), ("image",)), (nix.AttrSet(bindings),))
    return nix.Function(("nixgen", "pkgs"), scope.wrap(nix.Mark(body, image.origin)), ellipsis=True)


def _assignment(name: str, value: Expr) -> Expr:
    if isinstance(value, nix.Str):
        return nix.Str(f"{name}={value.value}")
    if isinstance(value, nix.Interpolation):
        return nix.Interpolation((f"{name}=", *value.parts))
    raise AssertionError(value)
