"""Makes the values of a test's secrets, in the driver of a NixOS test: see secrets.nix."""  # noqa: INP001 - Nix reads it


def nixgen_secrets(description: str) -> None:
    """Write an archive of secrets for each node, and tell QEMU's start script where they are.

    :param description: the files of each archive, as JSON.
    """
    import atexit
    import io
    import json
    import os
    import posixpath
    import secrets
    import shutil
    import tarfile
    import tempfile
    from pathlib import Path

    values: dict[str, bytes] = {}
    # nobody but the owner can read this folder
    folder = Path(tempfile.mkdtemp(prefix="nixgen-secrets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for archive, files in json.loads(description).items():
        with tarfile.open(folder / archive, "w", format=tarfile.GNU_FORMAT) as packed:
            for secret in files:
                place = secret["file"]
                if place in values:
                    pass
                elif secret["given"]:
                    given = Path(os.environ.get("NIXGEN_SECRETS_DIR") or "/nowhere", secret["name"])
                    if not given.is_file():
                        raise FileNotFoundError(
                            f"the value of the secret {secret['name']!r} is not in the Nix store, so "
                            "no build can run this test; write the value to a file of that name, "
                            "and run the driver of the test with NIXGEN_SECRETS_DIR=FOLDER"
                        )
                    values[place] = given.read_bytes()
                else:
                    characters = [
                        secrets.choice(secret["alphabet"]) for _ in range(secret["length"])
                    ]
                    values[place] = "".join(characters).encode()
                member = tarfile.TarInfo(posixpath.normpath(place).lstrip("/"))
                member.mode = 0o400
                member.size = len(values[place])
                packed.addfile(member, io.BytesIO(values[place]))
    os.environ["NIXGEN_SECRETS"] = str(folder)
