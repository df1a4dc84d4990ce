"""Local sources on disk: which of their files are copied to the store, and what that depends on.

What .gitignore files leave out is left out, as git would: those of the repository (the nearest folder with ``.git``; where there
is none, the folder that holds both project and source) down to the source, and below it. Nothing else of git counts, neither a
person's own settings nor what was added in spite of a rule: for everybody it has to be the same files. A repository that ignores
the whole project is not the project's. Version control itself, folders with nothing in them, and what is neither file, folder nor
link are left out of every source.

``nix/lib/source.nix`` does the same in Nix, with the rules that `ignore_table` collects.
"""

from nixgen.project.sources.faults import source_faults
from nixgen.project.sources.handwritten import hand_written
from nixgen.project.sources.look import Sources
from nixgen.project.sources.table import ignore_table
from nixgen.project.sources.walk import Entry, Listing

__all__ = ["Entry", "Listing", "Sources", "hand_written", "ignore_table", "source_faults"]
