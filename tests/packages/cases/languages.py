"""Languages."""

from package_cases import PackageCase

CASES: tuple[PackageCase, ...] = ()
