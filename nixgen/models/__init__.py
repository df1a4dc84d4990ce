"""The models that describe a platform: frozen values, free of I/O and of Nix text.

References between models are objects. Text that mentions a store path is built with `text`, or with
``/`` on the object itself, so plain data can never become Nix code::

    nginx = Package("nginx")
    conf = ConfigFile("nginx.conf", text("root ${site};", site=Source("site")))
    Service("proxy", command=(nginx / "bin/nginx", "-c", conf), ports=[Port(80)])

Constructors accept any value and remember the user's file and line; `check` then reports every
problem of a project at once.
"""

from nixgen.models.cluster import Member as Member
from nixgen.models.cluster import members as members
from nixgen.models.core import *
from nixgen.models.files import StoreReference as StoreReference
from nixgen.models.infra import *
from nixgen.models.kubernetes import port_name as port_name
from nixgen.models.nixos import Property as Property
from nixgen.models.nixos import option_path as option_path
from nixgen.models.nixos import options_at as options_at
from nixgen.models.rules.check import *
from nixgen.models.rules.packages import *
from nixgen.models.rules.visit import *
from nixgen.models.service import HealthCheck as HealthCheck
from nixgen.models.text import Interpolated as Interpolated
from nixgen.models.text import Text as Text
from nixgen.models.text import plain_text as plain_text
