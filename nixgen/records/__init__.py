"""The JSON documents that nixgen writes and reads itself, all of the schemas ``nixgen/KIND/VERSION``.

- `rules`: which values a field accepts beyond its type, and under which name it stands in JSON.
- `structure`: JSON values to attrs classes and back, by the types of the fields.
- `document`: the schema key, canonical text, and objects as dictionaries.
- `format`: a kind of document: its schema, its class, and the error for a document that is wrong.

Documents that people write by hand are read by `nixgen.documents`, which knows their lines.
"""
