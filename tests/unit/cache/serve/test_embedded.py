"""The embedded S3 emulator."""

from __future__ import annotations

from pathlib import Path

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.serve.embedded import embedded_s3


def test_a_directory_keeps_the_emulators_objects(tmp_path: Path) -> None:
    with embedded_s3(tmp_path) as location:
        bucket = Bucket(location, connections=1)
        bucket.put("nar/kept", b"kept")
        upload = bucket.multipart("nar/parts")
        upload.complete([upload.put(1, b"parts")])
        bucket.close()
    with embedded_s3(tmp_path) as location:
        bucket = Bucket(location, connections=1)
        assert sorted(bucket.names()) == ["nar/kept", "nar/parts"]
        assert bucket.read("nar/parts") == b"parts"
        bucket.close()
