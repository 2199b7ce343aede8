"""Remote sources and targets: S3 on the loopback interface, web servers, IIIF; and missing packages."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO

import pytest
from PIL import Image

from photochrom.batch import Item, color_batch
from photochrom.batch.listing import list_items
from photochrom.batch.report import read_rows
from photochrom.errors import OptionError, PhotochromError
from photochrom.label import is_labelled
from tests.batch.conftest import XMP, scan
from tests.helpers.web_server import FolderHandler, serving

if not all(map(find_spec, ("boto3", "fsspec", "s3fs"))):  # imported where they are used: they take half a second
    pytest.skip("needs boto3, fsspec and s3fs", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")  # deprecations within botocore and aiohttp


def upload(client, tree):
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            client.upload_file(str(path), "archive", f"scans/{path.relative_to(tree).as_posix()}")


def objects(client, prefix):
    found = client.list_objects_v2(Bucket="archive", Prefix=prefix).get("Contents", ())
    return {entry["Key"].removeprefix(prefix) for entry in found}


def body(client, key):
    return client.get_object(Bucket="archive", Key=key)["Body"].read()


@pytest.fixture
def remote(s3, tree, options, tmp_path):
    upload(s3, tree)
    return replace(options, report=tmp_path / "report")


@pytest.mark.slow
def test_a_bucket_is_coloured_into_a_bucket_and_resumes(s3, remote, tmp_path):
    s3.put_object(Bucket="archive", Key="scans/b.png.xmp", Body=XMP)
    summary = color_batch("s3://archive/scans", "s3://archive/colored", remote)
    assert (summary.colored, summary.failed, summary.status) == (4, 0, 0)
    outputs = {"a.color.jpg", "b.color.png", "1934/a.color.jpg", "1934/deep/c.color.tif"}
    assert outputs <= objects(s3, "colored/")
    assert not any(name.endswith(".part") for name in objects(s3, "colored/"))
    data = body(s3, "colored/b.color.png")
    assert Image.open(BytesIO(data)).mode == "RGB"
    assert b"City" in data  # the sidecar was fetched with it
    rows = {row.key: row for row in read_rows(tmp_path / "report" / "report.jsonl")}
    assert rows["a.jpg"].source == "s3://archive/scans/a.jpg"
    assert rows["a.jpg"].source_version == s3.head_object(Bucket="archive", Key="scans/a.jpg")["ETag"].strip('"')

    again = color_batch("s3://archive/scans", "s3://archive/colored", remote)
    assert (again.colored, again.done_before) == (0, 4)
    s3.delete_object(Bucket="archive", Key="colored/a.color.jpg")
    s3.upload_file(str(scan(tmp_path / "new.png", 7)), "archive", "scans/b.png")
    third = color_batch("s3://archive/scans", "s3://archive/colored", remote)
    assert (third.colored, third.done_before) == (2, 2)
    s3.put_object(Bucket="archive", Key="colored/b.color.png", Body=body(s3, "colored/b.color.png")[:-1])
    assert color_batch("s3://archive/scans", "s3://archive/colored", remote).cut_short == ["b.png"]


@pytest.mark.slow
def test_sidecars_and_labels_beside_outputs_go_to_the_bucket(s3, remote):
    color_batch(
        "s3://archive/scans", "s3://archive/colored", replace(remote, output=replace(remote.output, sidecar=True))
    )
    assert {"a.color.jpg", "a.color.jpg.xmp"} <= objects(s3, "colored/")
    s3.put_object(Bucket="archive", Key="colored/1934/a.color.jpg.xmp", Body=b"of others")
    color_batch("s3://archive/scans", "s3://archive/colored", remote)
    assert {name for name in objects(s3, "colored/") if name.endswith(".xmp")} == {"1934/a.color.jpg.xmp"}


@pytest.mark.slow
def test_a_manifest_in_a_bucket(s3, remote, tmp_path):
    manifest = "path,output,vividness\na.jpg,first.jpg,0.9\n1934/deep/c.tif,,\n"
    s3.put_object(Bucket="archive", Key="scans/list.csv", Body=manifest.encode())
    local = tmp_path / "out"
    summary = color_batch("s3://archive/scans/list.csv", local, replace(remote, report=None))
    assert summary.colored == 2
    assert (local / "first.jpg").is_file()
    assert is_labelled(local / "1934" / "deep" / "c.color.tif")


def test_a_bucket_that_does_not_exist(s3, remote):
    with pytest.raises(OptionError, match=r"s3://nowhere/scans: (contains no files|cannot be read)"):
        color_batch("s3://nowhere/scans", "s3://archive/colored", remote)


@pytest.mark.slow
def test_a_target_that_vanishes_ends_the_batch_and_fails_no_item(s3, s3_server, remote, tmp_path, tree):
    s3.create_bucket(Bucket="fleeting")
    seen = []

    def vanish(_, row):
        seen.append(row)
        if len(seen) == 2:
            _post(s3_server, "reset")

    summary = color_batch(tree, "s3://fleeting/out", remote, progress=vanish)
    assert summary.status == 1
    assert "s3://fleeting/out: cannot be written" in summary.ended_early
    assert {row.status for row in read_rows(tmp_path / "report" / "report.jsonl")} == {"ok"}
    s3.create_bucket(Bucket="fleeting")
    assert color_batch(tree, "s3://fleeting/out", remote).colored == 4


@pytest.mark.slow
def test_a_source_that_vanishes_gives_rows(s3, remote, tmp_path):
    def vanish(_, row):
        if row is None:
            for name in objects(s3, "scans/"):
                s3.delete_object(Bucket="archive", Key=f"scans/{name}")

    summary = color_batch("s3://archive/scans", tmp_path / "out", replace(remote, report=None), progress=vanish)
    assert (summary.colored, summary.failed, summary.status) == (0, 4, 2)
    for row in read_rows(tmp_path / "out" / "report.jsonl"):
        assert row.error.startswith(f"{row.source}: cannot be read")


def test_no_credentials(s3, remote, monkeypatch):
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(OptionError, match=r"(?i)s3://archive/scans: cannot be (opened|read) \(.*credentials"):
        color_batch("s3://archive/scans", "s3://archive/colored", remote)


READ_ONLY = {"Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]}


@pytest.mark.slow
@pytest.mark.parametrize("policy", [None, READ_ONLY], ids=["no rights", "no right to write"])
def test_no_permission(s3, s3_server, remote, policy, monkeypatch, tmp_path):
    import boto3
    import s3fs

    with closing(boto3.client("iam")) as iam:
        iam.create_user(UserName="visitor")
        if policy:
            document = json.dumps({"Version": "2012-10-17", **policy})
            iam.put_user_policy(UserName="visitor", PolicyName="p", PolicyDocument=document)
        key = iam.create_access_key(UserName="visitor")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    s3fs.S3FileSystem.clear_instance_cache()
    _post(s3_server, "reset-auth", "0")
    try:
        if policy is None:
            with pytest.raises(OptionError, match=r"s3://archive/scans: cannot be read \(.*: check the address"):
                color_batch("s3://archive/scans", tmp_path / "out", replace(remote, report=None))
        else:
            summary = color_batch("s3://archive/scans", "s3://archive/colored", remote)
            assert (summary.colored, summary.failed, summary.status) == (0, 0, 2)
            assert "s3://archive/colored: cannot be written" in summary.ended_early
    finally:
        _post(s3_server, "reset-auth", "inf")


def _post(server, action, data=""):
    request = urllib.request.Request(f"{server}/moto-api/{action}", data=data.encode(), method="POST")
    request.add_header("Content-Type", "text/plain")
    urllib.request.urlopen(request, timeout=600).close()


@pytest.mark.slow
def test_the_report_of_a_remote_target_is_in_the_cache_unless_a_folder_is_named(s3, remote, tmp_path, monkeypatch):
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "cache"))
    options = replace(remote, report=None)
    assert color_batch("s3://archive/scans", "s3://archive/colored", options).colored == 4
    (folder,) = (tmp_path / "cache" / "batches").iterdir()
    assert folder.name.startswith("s3-archive-colored-")
    assert len(list(read_rows(folder / "report.jsonl"))) == 4
    assert color_batch("s3://archive/scans", "s3://archive/colored/", options).done_before == 4  # the same target


@pytest.mark.slow
def test_two_machines_in_turns_lose_no_rows(s3, remote, tmp_path):
    """The second machine's rows are newer than those that the first one still has."""
    one, two = (replace(remote, report=tmp_path / name) for name in ("one", "two"))
    source, target = "s3://archive/scans", "s3://archive/colored"
    assert color_batch(source, target, replace(one, include=("*.jpg",))).colored == 2
    assert color_batch(source, target, two).colored == 2
    assert color_batch(source, target, one).done_before == 4
    assert body(s3, "colored/report.jsonl").count(b"\n") == 4


@pytest.mark.parametrize("places", [("memory://scans", "out"), ("scans", "memory://out")])
def test_a_memory_of_one_process_is_not_for_a_batch(places, tmp_path, options):
    with pytest.raises(OptionError, match="is visible to one process only, and a batch has several: name a folder"):
        color_batch(*places, options)


def test_a_list_on_the_web(web, options, tmp_path):
    address, folder = web
    scan(folder / "scans" / "a.jpg")
    scan(folder / "scans" / "b.tif")
    (folder / "list.jsonl").write_text(
        '{"path": "scans/a.jpg"}\n{"url": "scans/b.tif?size=full"}\n{"path": "gone.jpg"}\n'
    )
    summary = color_batch(f"{address}/list.jsonl", tmp_path / "out", options)
    rows = {row.key: row for row in read_rows(tmp_path / "out" / "report.jsonl")}
    assert (summary.colored, summary.failed) == (2, 1), [row.error for row in rows.values()]
    assert set(rows) == {"scans/a.jpg", "scans/b.tif", "gone.jpg"}
    assert f"{address}/gone.jpg: cannot be read (there is no such file)" in rows["gone.jpg"].error
    assert color_batch(f"{address}/list.jsonl", tmp_path / "out", options).done_before == 2


def test_errors_of_a_remote_item_name_its_address_and_are_counted_by_their_kind(web, options, tmp_path):
    address, folder = web
    scan(folder / "a.jpg")
    (folder / "empty.jpg").touch()
    (folder / "x.json").write_text("{}")
    table = "path,hints\nempty.jpg,\na.jpg,x.json\ngone.jpg,\n"
    (folder / "list.csv").write_text(table)
    summary = color_batch(f"{address}/list.csv", tmp_path / "out", options)
    errors = {row.key: row.error for row in read_rows(tmp_path / "out" / "report.jsonl")}
    assert errors["empty.jpg"].startswith(f"{address}/empty.jpg: is empty: ")
    assert errors["a.jpg"].startswith(f"{address}/x.json: ")
    assert set(summary.errors) == {"is empty", "is not a file of hints", "cannot be read"}


def test_photographs_in_an_archive_are_coloured_with_their_sidecars(tree, tmp_path, options):
    (tree / "1934" / "a.xmp").write_bytes(XMP)
    shutil.make_archive(str(tmp_path / "scans"), "zip", tree)
    source, target = f"zip://::{tmp_path / 'scans.zip'}", tmp_path / "out"
    assert color_batch(source, target, options).colored == 4
    assert color_batch(source, target, options).done_before == 4
    assert b"City" in (target / "1934" / "a.color.jpg").read_bytes()
    rows = {row.key: row.source for row in read_rows(target / "report.jsonl")}
    assert rows["1934/a.jpg"] == f"zip://1934/a.jpg::{tmp_path / 'scans.zip'}"


def test_a_page_of_links(web, options, tmp_path):
    address, folder = web
    scan(folder / "scans" / "a.jpg")
    assert color_batch(f"{address}/scans/", tmp_path / "out", options).colored == 1


def iiif(address, version):
    """Return a manifest of two pages, the second without an image service."""
    services = [{"id": f"{address}/iiif/one", "type": "ImageService3"}]
    if version == 3:
        bodies = [{"id": f"{address}/small.jpg", "service": services}, {"id": f"{address}/two.jpg"}]
        canvases = [
            {"label": {"en": [label]}, "items": [{"items": [{"body": body}]}]}
            for label, body in zip(("Page 1", "Page 2/3"), bodies, strict=True)
        ]
        return {"@context": "http://iiif.io/api/presentation/3/context.json", "items": canvases}
    old = {"@id": f"{address}/iiif/one", "@context": "http://iiif.io/api/image/2/context.json"}
    resources = [{"@id": f"{address}/small.jpg", "service": old}, {"@id": f"{address}/two.jpg"}]
    canvases = [
        {"label": label, "images": [{"resource": resource}]}
        for label, resource in zip(("Page 1", "Page 2/3"), resources, strict=True)
    ]
    return {"sequences": [{"canvases": canvases}]}


@pytest.mark.parametrize("version", [2, 3])
def test_an_iiif_manifest(web, options, tmp_path, version):
    address, folder = web
    size = "full" if version == 2 else "max"
    scan(folder / "iiif" / "one" / "full" / size / "0" / "default.jpg")
    scan(folder / "two.jpg")
    (folder / "manifest.json").write_text(json.dumps(iiif(address, version)))
    assert color_batch(f"{address}/manifest.json", tmp_path / "out", options).colored == 2
    names = sorted(path.name for path in (tmp_path / "out").glob("*.color.jpg"))
    assert names == ["0001-Page-1.color.jpg", "0002-Page-2-3.color.jpg"]


def test_an_iiif_image(web, options, tmp_path):
    address, folder = web
    scan(folder / "one" / "full" / "max" / "0" / "default.jpg")
    info = {"id": f"{address}/one", "protocol": "http://iiif.io/api/image", "type": "ImageService3"}
    (folder / "one" / "info.json").write_text(json.dumps(info))
    assert color_batch(f"{address}/one/info.json", tmp_path / "out", options).colored == 1


@pytest.mark.parametrize("text", ["{}", "[]", "not json", "[" * 100_000, '{"items": 3}', '{"items": [null]}'])
def test_an_address_that_is_not_iiif_is_reported(web, text):
    address, folder = web
    (folder / "manifest.json").write_text(text)
    with pytest.raises(OptionError, match=f"{address}/manifest.json: is n(ot|either)"):
        list(list_items(f"{address}/manifest.json"))


@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "check the address"), (429, "try again later"), (503, "try again later")]
)
def test_the_status_of_a_web_server_that_refuses_is_reported(status, remedy, tmp_path):
    pytest.importorskip("aiohttp")

    class Refusing(FolderHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_error(status)

    with serving(tmp_path, Refusing) as address:
        told = rf"manifest\.json: cannot be read \(the server answers with status {status}\): {remedy}"
        with pytest.raises(OptionError, match=told):
            list_items(f"{address}/manifest.json")


@pytest.mark.parametrize(
    ("address", "package", "installed"),
    [("gs://bucket/scans", "gcsfs", "gcsfs"), ("s3://bucket/scans", "fsspec", r"'photochrom\[batch\]'")],
)
def test_an_address_whose_package_is_missing(address, package, installed, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PhotochromError, match=f"needs {package}: pip install {installed}$"):
        list_items(address)


def test_an_unknown_protocol():
    with pytest.raises(OptionError, match="nonsense://x: cannot be opened"):
        list_items("nonsense://x")


def test_shards_do_not_depend_on_the_machine():
    assert [Item(key, "").shard(1000) for key in ("a.jpg", "b/c.tif", "\u00e9.jpg")] == [449, 787, 156]
