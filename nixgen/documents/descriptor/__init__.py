"""Read and write descriptors: machine.json, the machines of clusters on EC2.

The schema is ``nixgen/machine/1``, in ``nixgen/documents/machine-1.json``. An older form with
``masters.configs[]`` is read, too.
"""

from nixgen.documents.descriptor.read import Descriptor, read_descriptor
from nixgen.documents.descriptor.write import descriptor

__all__ = ["Descriptor", "descriptor", "read_descriptor"]
