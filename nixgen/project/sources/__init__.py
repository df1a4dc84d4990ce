"""Local sources on disk: the files that are copied to the store, and what the choice depends on.

The .gitignore files of the repository leave files out, as git reads them: those from the top of the
repository down to the source, and those inside the source. The repository is the nearest folder
with ``.git``; without one, the folder that contains both project and source. A repository that
ignores the whole project does not count. Nothing else of git counts, neither a person's own
settings nor files that were added in spite of a rule, because everybody must get the same files.

Version control itself, empty folders, and anything but files, folders and links are left out of
every source. ``nix/lib/source.nix`` does the same in Nix, with the rules that `ignore_table`
collects.
"""

from nixgen.project.sources.faults import source_faults
from nixgen.project.sources.handwritten import hand_written
from nixgen.project.sources.look import Sources
from nixgen.project.sources.private import private_files
from nixgen.project.sources.table import ignore_table
from nixgen.project.sources.walk import Entry, Listing

__all__ = [
    "Entry",
    "Listing",
    "Sources",
    "hand_written",
    "ignore_table",
    "private_files",
    "source_faults",
]
