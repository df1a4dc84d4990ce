"""Provisioning real buckets: made once, compared later, and settings of others left alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from botocore.awsrequest import AWSResponse

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.provision.apply import provision
from nixgen.cache.provision.design import BucketDesign
from nixgen.cache.provision.emit import FORMATS
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.errors import CacheError

pytestmark = pytest.mark.real

INFRA = """
from nixgen import Cache, Project
project = Project("p", caches=[Cache("open", {address!r}, public=True), Cache("closed", {address!r})])
"""


@pytest.fixture(scope="module")
def emulator():
    with embedded_s3(bucket="first") as found:
        yield found


@pytest.fixture
def address(emulator, request):
    """The address of a bucket that does not exist yet."""
    name = "bucket-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]
    return f"s3://{name}/team?endpoint={emulator.endpoint}&emulator=true"


@pytest.fixture
def client(address):
    with closing(Bucket(CacheLocation.parse(address), connections=1).client) as made:
        yield made


@pytest.fixture
def nixgen(command_line, tmp_path):
    return command_line(folder=tmp_path)


def bucket_of(address):
    return CacheLocation.parse(address).bucket


def shown(done):
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_the_second_run_changes_nothing(nixgen, address, client):
    planned = nixgen("cache", "provision", address, "--plan", expect=1)
    assert shown(planned)[0] == f"+ create bucket {bucket_of(address)} in us-east-1"
    assert bucket_of(address) not in [each["Name"] for each in client.list_buckets()["Buckets"]]

    first = nixgen.document("cache", "provision", address)
    assert (first["schema"], first["drift"], first["applied"]) == ("nixgen/provision/1", True, True)
    assert {change["kind"] for change in first["changes"]} == {"create", "same"}
    body = client.get_object(Bucket=bucket_of(address), Key="team/nix-cache-info")["Body"].read()
    assert body.startswith(b"StoreDir: /nix/store\n")

    second = nixgen.document("cache", "provision", address)
    assert (second["drift"], {change["kind"] for change in second["changes"]}) == (False, {"same"})
    assert shown(nixgen("cache", "provision", address, "--plan"))[-1] == "nothing to change"


def test_drift_is_shown_and_corrected(nixgen, address, client):
    bucket = bucket_of(address)
    nixgen("cache", "provision", address, "--public")
    rule = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 9},
    }
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    policy["Statement"][1:] = [
        {
            "Sid": "Website",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/www/*",
        }
    ]
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    lines = shown(nixgen("cache", "provision", address, "--public", "--plan", expect=1))
    assert any(line.startswith("+ create policy NixgenPublicList") for line in lines)
    assert "! kept policy a statement that is not this cache's: Website" in lines
    assert "! kept lifecycle a rule that is not this cache's: logs" in lines
    assert sum(line.startswith("+ create lifecycle") for line in lines) == 3

    nixgen("cache", "provision", address, "--public")
    assert (
        shown(nixgen("cache", "provision", address, "--public", "--plan"))[-1]
        == "nothing to change"
    )
    statements = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert sorted(each["Sid"][:10] for each in statements) == [
        "NixgenPubl",
        "NixgenPubl",
        "Website",
    ]
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rules[0] == rule
    assert len(rules) == 4


def test_the_cache_of_the_project_gives_the_defaults(nixgen, address, client):
    (nixgen.folder / "infra.py").write_text(INFRA.format(address=address))
    assert nixgen.document("cache", "provision", "open")["public"] is True
    url = f"{client.meta.endpoint_url}/{bucket_of(address)}/team"
    with urllib.request.urlopen(f"{url}/nix-cache-info", timeout=120) as answer:
        assert answer.read().startswith(b"StoreDir")
    # Nix takes 403 for a broken cache, and 404 for a path that is not there.
    missing = urllib.request.Request(f"{url}/{'a' * 32}.narinfo", method="HEAD")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(missing, timeout=120)
    caught.value.close()
    assert caught.value.code == 404

    closed = nixgen.document("cache", "provision", "closed", expect=0)
    assert [change["kind"] for change in closed["changes"] if change["part"] == "policy"] == [
        "remove", "remove",
    ]  # fmt: skip
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/nix-cache-info", timeout=120)
    caught.value.close()
    assert caught.value.code == 403
    assert nixgen.document("cache", "provision", "closed", "--plan")["drift"] is False


def test_a_stock_nix_reads_a_public_bucket_without_a_server(example, address, tmp_path):
    hello = example("hello")
    built = hello.document("build", "images.web")
    path = built["targets"][0]["outputs"]["out"]
    hello("cache", "provision", address, "--public")
    hello("cache", "push", "images.web", "--to", address)
    store = tmp_path / "store"
    try:
        done = subprocess.run(
            [
                "nix-store", "--store", store, "--realise", path,
                "--option", "substituters", BucketDesign(location=CacheLocation.parse(address)).url,
                "--option", "require-sigs", "true",
                "--option", "trusted-public-keys", (hello.folder / ".nixgen/cache.key.pub").read_text(),
                "--option", "build-users-group", "",
            ],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (store / path.removeprefix("/")).read_bytes()
    finally:
        subprocess.run(["chmod", "-R", "u+w", store], check=False)
        shutil.rmtree(store)


def refusing(status, code):
    """A server's answer in place of the emulator's."""

    class Body:
        def stream(self, *_args, **_kwargs):
            yield f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    return lambda request, **_: AWSResponse(request.url, status, {}, Body())


@pytest.mark.parametrize("verb", ["Get", "Put"])
@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed")])
def test_a_setting_that_a_server_lacks_is_skipped(address, verb, status, code):
    design = BucketDesign(location=CacheLocation.parse(address), public=True)
    with Bucket(design.location, connections=1, attempts=1) as bucket:
        for what in ("BucketLifecycleConfiguration", "PublicAccessBlock", "BucketEncryption"):
            bucket.client.meta.events.register(
                f"before-send.s3.{verb}{what}", refusing(status, code)
            )
        bucket.create()  # so that there is something to ask
        first, second = (provision(design, bucket, store_dir="/nix/store") for _ in range(2))
    for done in (first, second):
        skipped = [change.part for change in done.changes if change.kind == "skipped"]
        assert sorted(skipped) == ["access block", "encryption", "lifecycle"]
    assert (first.drift, second.drift) == (True, False)


def test_a_missing_right_is_named(address):
    location = CacheLocation.parse(address)
    with Bucket(location, connections=1, attempts=1) as bucket:
        bucket.client.meta.events.register(
            "before-send.s3.PutBucketEncryption", refusing(403, "AccessDenied")
        )
        with pytest.raises(CacheError, match="cannot set the encryption") as caught:
            provision(BucketDesign(location=location), bucket, store_dir="/nix/store")
    assert "s3:PutEncryptionConfiguration" in caught.value.hint


def test_a_cache_of_another_store_is_refused(nixgen, address, client):
    client.create_bucket(Bucket=bucket_of(address))
    client.put_object(
        Bucket=bucket_of(address), Key="team/nix-cache-info", Body=b"StoreDir: /other/store\n"
    )
    done = nixgen("cache", "provision", address, expect=3)
    assert "holds paths of /other/store" in done.stderr


def test_a_design_is_printed_for_other_tools(nixgen):
    address = "s3://cache/team?region=eu-central-1"
    made = BucketDesign(location=CacheLocation.parse(address))
    for name, write in FORMATS.items():
        done = nixgen("cache", "provision", address, "--emit", name)
        assert json.loads(done.stdout) == json.loads(json.dumps(write(made)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["s3://cache", "--emit", "pulumi"], "there is no format 'pulumi'"),
        (["s3://cache", "--emit", "policies", "--plan"], "looks at no bucket"),
        (["s3://cache", "--encryption", "des"], "there is no encryption 'des'"),
        (["s3://cache", "--public", "--encryption", "kms:k"], "a public cache cannot be encrypted"),
        (["https://cache"], "is not the address of a cache"),
    ],
)
def test_wrong_options_are_refused_before_any_request(nixgen, arguments, message):
    assert message in nixgen("cache", "provision", *arguments, expect=2).stderr
