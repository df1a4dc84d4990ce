"""The names that infra.py imports from nixgen: those that the modules of models list in ``__all__``.

A name is listed once, beside its definition; type checkers and editors follow a wildcard to it.
"""

from nixgen.models.builders import *
from nixgen.models.cache import *
from nixgen.models.cluster import *
from nixgen.models.disk import *
from nixgen.models.ec2 import *
from nixgen.models.environment import *
from nixgen.models.files import *
from nixgen.models.hardening import *
from nixgen.models.image import *
from nixgen.models.kubernetes import *
from nixgen.models.machine import *
from nixgen.models.network import *
from nixgen.models.nixos import *
from nixgen.models.project import *
from nixgen.models.service import *
from nixgen.models.test import *
from nixgen.models.text import *
