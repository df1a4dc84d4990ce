"""An `Image` as an expression that describes one OCI image (image.json in docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Iterator

from nixgen import syntax as nix
from nixgen.lowering.identity import identity
from nixgen.lowering.scope import Scope, string
from nixgen.lowering.written import accounts
from nixgen.models import CommandCheck, Image, Service
from nixgen.models.lines import AccountPath, UserName
from nixgen.syntax import Expr

__all__ = ["image_expression"]


def image_expression(image: Image) -> Expr:
    """The function that the base calls to build an image.

    :param image: Image to lower.
    """
    scope = Scope()
    service = image.service
    command = image.command or (service.command if service else ())
    config: dict[str, Expr] = {
        "Entrypoint": nix.List(map(scope.word, command)),
        "WorkingDir": nix.Str((service and service.working_directory) or "/"),
        "Labels": nix.AttrSet({name: nix.Str(value) for name, value in image.labels.items()}),
    }
    variables: dict[str, tuple[str | Expr, ...]] = {}
    bindings: dict[str, Expr] = {"name": nix.Str(image.name), "tag": nix.Str(image.tag)}
    uid, gid = identity(service)
    if service is not None:
        variables = {name: scope.parts(value) for name, value in service.environment.items()}
        config["ExposedPorts"] = nix.AttrSet(
            {f"{port.number}/{port.protocol}": nix.AttrSet({}) for port in service.ports}
        )
        if isinstance(service.health, CommandCheck):
            words = tuple(map(scope.word, service.health.command))
            config["Healthcheck"] = nix.AttrSet({"Test": nix.List((nix.Str("CMD"), *words))})
        if service.user is not None:
            user = service.user
            home = AccountPath(user.home or "/")
            account = accounts.present({"uid": uid, "gid": gid, "home": home})
            bindings["users"] = nix.AttrSet({UserName(user.name): nix.AttrSet(account)})
    config["User"] = nix.Str(f"{uid}:{gid}")
    for package in (*image.packages, *(service.packages if service else ())):
        scope.package(package)
    variables.setdefault("PATH", ("/bin",))
    config["Env"] = nix.List(
        string((f"{name}=", *parts)) for name, parts in sorted(variables.items())
    )
    bindings["config"] = nix.AttrSet(config)
    extra = tuple(_files_of_setup(scope, service)) if service else ()
    if extra:
        bindings["extra"] = nix.List(extra)
    bindings["contents"] = nix.List(map(scope.package, scope.packages))
    body = nix.Call(nix.Select(nix.Var("nixgen"), ("image",)), (nix.AttrSet(bindings),))
    return nix.Function(("nixgen", "pkgs"), scope.wrap(nix.Mark(body, image.origin)), ellipsis=True)


def _files_of_setup(scope: Scope, service: Service) -> Iterator[Expr]:
    """The files that only the setup commands mention. The configuration of the image does not name
    them, so they are listed; packages are part of the contents already.
    """
    words = (word for command in service.setup for word in command)
    mentioned = (part for word in words for part in scope.parts(word))
    yield from dict.fromkeys(part for part in mentioned if isinstance(part, nix.Var))
