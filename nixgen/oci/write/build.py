"""Writes images: plans the layers of all images together, makes the new ones, writes the layouts."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from nixgen.errors import InputError, StoreError
from nixgen.oci.events import (
    ImageWritten,
    LayerReused,
    LayersPlanned,
    LayerStarted,
    LayerWritten,
    Observer,
)
from nixgen.oci.plan.layering import MAX_LAYERS, LayerPlan, plan_layers
from nixgen.oci.plan.spec import ImageSpec
from nixgen.oci.write.blob import LayerCache, LayerInfo, LayerRecipe
from nixgen.oci.write.codec import Codec
from nixgen.oci.write.layout import make_manifest, write_layout
from nixgen.oci.write.report import ImageReport, LayerReport
from nixgen.programs.observer import ignore
from nixgen.store.path import path_name

__all__ = ["write_images"]


def write_images(
    specs: Sequence[ImageSpec],
    out_dir: Path,
    state_dir: Path,
    observe: Observer = ignore,
    *,
    codec: Codec = Codec.ZSTD,
    max_layers: int = MAX_LAYERS,
    store: Path | None = None,
) -> tuple[ImageReport, ...]:
    """Write the layout ``out_dir/NAME`` of every image. Nothing is added to the Nix store.

    :param specs: the images.
    :param out_dir: gets a directory for each image.
    :param state_dir: finished layers of earlier builds; it may be deleted at any time.
    :param observe: receives the events.
    :param codec: compresses the layers.
    :param max_layers: the most store layers of an image.
    :param store: the directory with the store paths; ``/nix/store`` when None.
    :raises InputError: two images of one name, or a root tree that cannot be an image's.
    :raises StoreError: a store path is missing, or a directory is full or read-only.
    """
    started = time.monotonic()
    names = [spec.name for spec in specs]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise InputError(f"two images are named {name!r}", hint="give each image its own name")
    plans = plan_layers({spec.name: spec.layered for spec in specs}, max_layers=max_layers)
    recipes = {spec.name: _recipes(spec, plans[spec.name], codec) for spec in specs}
    distinct = {recipe.digest: plan for name in recipes for recipe, plan in recipes[name]}
    observe(
        LayersPlanned(
            images=tuple(sorted(names)),
            layers=len(distinct),
            size=sum(plan.size for plan in distinct.values()),
        )
    )
    with _locked(state_dir):
        cache = LayerCache(directory=state_dir)
        wanted = [recipe for pairs in recipes.values() for recipe, _ in pairs]
        made = _make_layers(wanted, cache, observe, store)
        reports = []
        for spec in specs:
            layers = tuple(
                LayerReport(plan=plan, info=made[recipe.digest][0], reused=made[recipe.digest][1])
                for recipe, plan in recipes[spec.name]
            )
            image = make_manifest(spec, [(each.info, _comment(each.plan)) for each in layers])
            layout = out_dir / spec.name
            changed = write_layout(image, layout, cache.blob)
            observe(ImageWritten(image=spec.name, digest=image.digest, changed=changed))
            reports.append(
                ImageReport(
                    name=spec.name,
                    ref=spec.ref,
                    layout=layout,
                    digest=image.digest,
                    config_digest=image.config_digest,
                    layers=layers,
                    changed=changed,
                    seconds=0.0,
                )
            )
    seconds = time.monotonic() - started
    return tuple(evolve(report, seconds=seconds) for report in reports)


def _recipes(
    spec: ImageSpec, plans: Sequence[LayerPlan], codec: Codec
) -> tuple[tuple[LayerRecipe, LayerPlan], ...]:
    """The store layers, and on top of them the root tree."""
    root = spec.root_entry
    top = LayerPlan(
        paths=(root,),
        images=(spec.name,),
        size=root.nar_size,
        weight=1.0,
        why="the tree at /: links to programs, users, /tmp",
    )
    contents = [tuple((entry.path, entry.nar_hash) for entry in plan.paths) for plan in plans]
    recipes = [LayerRecipe(paths=paths, codec=codec) for paths in contents]
    recipes.append(LayerRecipe(root=(root.path, root.nar_hash), codec=codec))
    return tuple(zip(recipes, [*plans, top], strict=True))


def _make_layers(
    recipes: Sequence[LayerRecipe], cache: LayerCache, observe: Observer, store: Path | None
) -> dict[str, tuple[LayerInfo, bool]]:
    """(layer, whether it was there already) by recipe digest."""
    made: dict[str, tuple[LayerInfo, bool]] = {}
    missing: dict[str, LayerRecipe] = {}
    for recipe in recipes:
        digest = recipe.digest
        if digest in made or digest in missing:
            continue
        info = cache.find(recipe)
        if info is None:
            missing[digest] = recipe
        else:
            made[digest] = (info, True)
            observe(LayerReused(digest=info.digest, size=info.size))
    if not missing:
        return made
    cache.learn_all()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for digest, recipe in missing.items():
            pairs = recipe.paths or ((recipe.root,) if recipe.root else ())
            observe(LayerStarted(paths=tuple(path for path, _ in pairs)))
            started = time.monotonic()
            info = cache.write(recipe, pool, store=store)
            made[digest] = (info, False)
            observe(
                LayerWritten(
                    digest=info.digest,
                    tar_size=info.tar_size,
                    size=info.size,
                    seconds=time.monotonic() - started,
                )
            )
    return made


def _comment(plan: LayerPlan) -> str:
    """A layer's history line: names without hashes, so that it reads well and stays short."""
    names = [path_name(entry.path) for entry in plan.paths[:5]]
    more = len(plan.paths) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


@contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """One build of a state directory at a time; the kernel drops the lock with the process."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        handle = (state_dir / "lock").open("w")
    except OSError as error:
        raise StoreError(
            f"cannot write to {state_dir}: {error.strerror}",
            hint="make it writable, or choose another state directory",
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
