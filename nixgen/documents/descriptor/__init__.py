"""machine.json, the machines of a cluster on EC2: read into machines and clusters, and written from them.

The document is nixgen/machine/1 (``nixgen/documents/machine-1.json``). An older form, with ``masters.configs[]``, is read as well.
"""

from nixgen.documents.descriptor.read import Descriptor, read_descriptor
from nixgen.documents.descriptor.write import descriptor

__all__ = ["Descriptor", "descriptor", "read_descriptor"]
