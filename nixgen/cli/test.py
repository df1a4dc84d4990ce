"""The words and the output of ``nixgen test list|run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli import options

if TYPE_CHECKING:
    from nixgen.vm.record.report import TestResult

app = options.verb(
    "Boot the machines of a test and run it.",
    epilog=options.examples("nixgen test list", "nixgen test run tests.smoke"),
)


@app.command("list", epilog=options.examples("nixgen test list"))
def list_tests(
    project: options.ProjectFolder = Path(),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List the tests of the project."""
    from nixgen.cli import console
    from nixgen.project.workspace import Workspace

    origins = Workspace.open(project).target_origins()
    tests = {attr: where for attr, where in origins.items() if attr.startswith("tests.")}
    if json:
        rows = [{"attr": attr, "where": where} for attr, where in tests.items()]
        console.print_document("nixgen/targets/1", targets=rows)
    else:
        console.print_targets(tests)


@app.command(
    "run",
    epilog=options.examples("nixgen test run", "nixgen test run tests.smoke --junit report.xml"),
)
def run(
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    builders: options.Builders = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write a JUnit report.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Time that one test may take.")
    ] = 900,
    accel: Annotated[
        str,
        typer.Option("--accel", help="auto, kvm, or tcg: software emulation, which always works."),
    ] = "auto",
    console_output: Annotated[
        bool, typer.Option("--console", help="Show the machines' serial consoles.")
    ] = False,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build tests, boot their machines under QEMU, with or without KVM, and run their scripts."""
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress, test_progress
    from nixgen.files.write import write_atomically
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import build
    from nixgen.verbs.select import select_tests
    from nixgen.verbs.test import require_no_values, results_of_nix, run_test
    from nixgen.vm.record.report import junit_xml

    workspace = Workspace.open(project)
    chosen = select_tests(workspace, targets or ())
    if base == "nixpkgs":
        require_no_values(workspace.project, chosen)
    request = options.make_request(
        workspace,
        base=base,
        env=env,
        override_input=override_input,
        builders=builders,
        debug=debug,
    )
    with build_progress(quiet=json, verbose=verbose) as observe:
        built = build.build(workspace, chosen, request, observe=observe)
    results: list[TestResult] = []
    for target in built.require().targets if base == "debian" else ():
        with test_progress(quiet=json, serial=console_output) as observe_test:
            results.append(
                run_test(workspace, target, timeout=timeout, accel=accel, observe=observe_test)
            )
        if not json:
            console.print_test(results[-1])
    if base == "nixpkgs":
        results += results_of_nix(built)
        for result in () if json else results:
            console.print_test(result)
    if junit is not None:
        write_atomically(junit, junit_xml(results))
    if json:
        console.print_document("nixgen/tests/1", tests=[result.to_json() for result in results])
    broken = [result for result in results if result.outcome == "broken"]
    failed = [result for result in results if not result.passed]
    if failed:
        raise typer.Exit(3 if broken else 1)
