"""Records of images and machine tests take their values by name, so that a field may be added without breaking a caller."""

from __future__ import annotations

from typing import get_args

import attrs
import pytest
from public_records import public_records

from nixgen.oci.events import ImageEvent
from nixgen.vm.record.events import Event

RECORDS = public_records("nixgen.oci") + public_records("nixgen.vm")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_values_are_given_by_name(record: type) -> None:
    fields = [field for field in attrs.fields(record) if field.init]
    assert all(field.kw_only for field in fields)


def test_records_do_not_change() -> None:
    for record in RECORDS:
        assert record.__setattr__ is not object.__setattr__, record


@pytest.mark.parametrize("events", [ImageEvent, Event])
def test_every_event_is_a_record(events: object) -> None:
    assert set(get_args(events)) <= set(RECORDS)
