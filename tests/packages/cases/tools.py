"""Small tools, editors, transfer and backup."""

from package_cases import PackageCase

CASES = (
    PackageCase(
        "jq",
        "filter a document",
        'echo \'{"a": [1, 2, {"b": "found"}]}\' | jq -r \'.a[2].b\'',
        "found",
        quick=True,
    ),
)
