"""Records take their values by name, so that fields may be added and moved without breaking a caller."""

from __future__ import annotations

import attrs
import pytest
from public_records import public_records

# A shard is written as its two numbers; a stream of NARs and an upload have a state.
OTHERS = {"Shard", "NarStream", "Upload"}
RECORDS = [
    record for record in public_records("nixgen.cache.push") if record.__name__ not in OTHERS
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_values_are_given_by_name(record: type) -> None:
    fields = [field for field in attrs.fields(record) if field.init]
    assert all(field.kw_only for field in fields)


def test_records_do_not_change() -> None:
    for record in RECORDS:
        assert record.__setattr__ is not object.__setattr__, record
