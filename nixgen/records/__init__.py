"""The JSON documents of nixgen, whose schemas are named ``nixgen/KIND/VERSION``.

- `rules`: the values that a field accepts beyond its type, and its name in JSON.
- `structure`: turns JSON values into attrs classes and back, by the types of the fields.
- `document`: the schema of a document, and its canonical text.
- `format`: a kind of document: its schema, its class, and the error of a wrong document.

`nixgen.documents` reads the documents that people write by hand, with their line numbers.
"""
