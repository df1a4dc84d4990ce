"""The targets of a project: remembered when nothing has changed, else evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from nixgen.driver.capabilities import nix_identity
from nixgen.driver.evaluation import Locate, Target, evaluate
from nixgen.driver.evaluation_cache import EvaluationCache, evaluation_key
from nixgen.driver.nix import NixOptions
from nixgen.driver.roots import Roots
from nixgen.driver.runner import Runner
from nixgen.driver.store import Store

__all__ = ["instantiate"]


def _no_location(_path: str, _line: int) -> str | None:
    return None


def instantiate(
    root: Path,
    attrs: Iterable[str],
    *,
    runner: Runner,
    options: NixOptions,
    store: Store,
    base: str = "debian",
    system: str | None = None,
    environment: str | None = None,
    mirrors: str | None = None,
    extra: bytes = b"",
    locate: Locate = _no_location,
    origins: Mapping[str, str | None] = MappingProxyType({}),
    debug: bool = False,
) -> tuple[Target, ...]:
    """Targets of the project in ``root``, in the order of ``attrs``, ready for `realise`.

    No process starts when the evaluation is remembered and its derivations are still in the store
    (or not needed, because the outputs are rooted). State is kept under ``root/.nixgen``.

    :param extra: digest of local files outside ``generated/`` that the tree reads.

    For the other parameters and the errors see `nixgen.driver.evaluation.evaluate`.
    """
    wanted = tuple(dict.fromkeys(attrs))
    cache = EvaluationCache(root / ".nixgen/cache/evaluation")
    roots = Roots(root / ".nixgen/gcroots")
    key = evaluation_key(
        root,
        base=base,
        nix=nix_identity(),
        system=system,
        environment=environment,
        mirrors=mirrors,
        extra=extra,
    )
    remembered = cache.load(key, wanted)
    if remembered is not None:
        unbuilt = [target.drv for target in remembered if not roots.holds(target)]
        if not unbuilt or store.is_valid(unbuilt):
            return remembered
    targets = evaluate(
        root / "generated/default.nix",
        wanted,
        runner=runner,
        options=options,
        base=base,
        system=system,
        environment=environment,
        mirrors=mirrors,
        locate=locate,
        origins=origins,
        debug=debug,
    )
    cache.save(key, targets)
    return targets
