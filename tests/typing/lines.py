"""Checked by mypy, never run: a writer of lines takes no plain text, and none of another format."""

from nixgen.lowering.unitfile import ExecWord
from nixgen.lowering.written import Written, accounts, units
from nixgen.models import Service
from nixgen.models.lines import AccountText, UnitLine, UnitName, UnitText
from nixgen.syntax import Str


def unit(service: Service) -> dict[str, Written]:
    units.present({"Foo": service.description})  # type: ignore[dict-item]
    units.all([service.description])  # type: ignore[list-item]
    units(AccountText(service.description))  # type: ignore[arg-type]
    accounts(ExecWord(service.description))  # type: ignore[arg-type]
    UnitLine.joined(":", UnitName(service.name), service.description)  # type: ignore[arg-type]
    return {
        "Description": units(UnitText(service.description)),
        "Foo": units(service.description),  # type: ignore[arg-type]
        "Bar": Str(service.description),  # type: ignore[dict-item]
    }
