"""The words and the output of ``nixgen doctor``."""

from __future__ import annotations

from pathlib import Path

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb

app = verb()


@app.command("doctor", epilog=examples("nixgen doctor"))
def doctor(project: ProjectFolder = Path(), json: Json = False, debug: Debug = False) -> None:
    """Say what is missing on this computer, and how to get it."""
    import attrs
    import typer

    from nixgen.cli import console
    from nixgen.verbs.doctor import examine

    findings = examine(project.resolve())
    if json:
        rows = [attrs.asdict(finding) for finding in findings]
        console.print_document("nixgen/doctor/1", findings=rows)
    else:
        console.print_findings(findings)
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(3)
