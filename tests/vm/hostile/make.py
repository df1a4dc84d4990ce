"""Makes the folders that services need before they start. The argument is a JSON file."""

import json
import sys
from pathlib import Path

for folder in json.loads(Path(sys.argv[1]).read_text()):
    Path(folder).mkdir(parents=True, exist_ok=True)
