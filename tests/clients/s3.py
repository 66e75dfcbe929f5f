"""S3 on the folders of the project, through boto3: s3.py URL. The project declares the bucket 'data'."""
import io
import json
import sys
import time

import boto3
from botocore.config import Config

config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, inject_host_prefix=False, retries={"max_attempts": 1})
where = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="key", config=config)
s3, sfn = boto3.client("s3", **where), boto3.client("stepfunctions", **where)


def refused(code, status, call, **params):
    try:
        call(**params)
    except s3.exceptions.ClientError as error:
        told = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert told == (code, status), error
        return
    raise AssertionError(f"{code} was expected")


assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["data"]
s3.head_bucket(Bucket="data")
refused("404", 404, s3.head_bucket, Bucket="none")
s3.create_bucket(Bucket="data")
refused("AccessDenied", 403, s3.create_bucket, Bucket="none")
assert s3.get_bucket_location(Bucket="data")["LocationConstraint"] is None

# Bytes come back as they went, whatever the key.
content = bytes(range(256)) * 100
keys = ["a/1.bin", "a/b/2 +%&.bin", "a/c.bin", "é.bin"]
for key in keys:
    s3.put_object(Bucket="data", Key=key, Body=content, ContentType="application/x-test", Metadata={"Of": "me"})
    got = s3.get_object(Bucket="data", Key=key)
    assert got["Body"].read() == content, key
    assert (got["ContentType"], got["Metadata"], got["ContentLength"]) == ("application/x-test", {"of": "me"}, 25600)
    assert s3.head_object(Bucket="data", Key=key)["ETag"] == got["ETag"]
s3.upload_fileobj(io.BytesIO(b"streamed"), "data", "streamed")
assert s3.get_object(Bucket="data", Key="streamed")["Body"].read() == b"streamed"
part = s3.get_object(Bucket="data", Key="a/1.bin", Range="bytes=10-19")
assert (part["ResponseMetadata"]["HTTPStatusCode"], part["Body"].read(), part["ContentRange"]) == (206, content[10:20], "bytes 10-19/25600")
refused("InvalidRange", 416, s3.get_object, Bucket="data", Key="a/1.bin", Range="bytes=99999-")
refused("NoSuchKey", 404, s3.get_object, Bucket="data", Key="none")
refused("NoSuchBucket", 404, s3.get_object, Bucket="none", Key="none")
refused("404", 404, s3.head_object, Bucket="data", Key="none")
refused("PreconditionFailed", 412, s3.put_object, Bucket="data", Key="streamed", Body=b"", IfNoneMatch="*")
refused("NotImplemented", 501, s3.create_multipart_upload, Bucket="data", Key="x")
refused("NotImplemented", 501, s3.get_object_tagging, Bucket="data", Key="a/1.bin")

# Lists, whole and in pages.
listed = s3.list_objects_v2(Bucket="data", Prefix="a/", Delimiter="/")
assert [item["Key"] for item in listed["Contents"]] == ["a/1.bin", "a/c.bin"]
assert [prefix["Prefix"] for prefix in listed["CommonPrefixes"]] == ["a/b/"]
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="data", PaginationConfig={"PageSize": 2})
assert sorted(item["Key"] for page in pages for item in page["Contents"]) == sorted([*keys, "streamed"])
s3.copy_object(Bucket="data", Key="copy", CopySource={"Bucket": "data", "Key": "a/b/2 +%&.bin"})
assert s3.get_object(Bucket="data", Key="copy")["Body"].read() == content
s3.get_waiter("object_exists").wait(Bucket="data", Key="copy")
s3.delete_object(Bucket="data", Key="copy")
gone = s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": key} for key in keys]})
assert sorted(entry["Key"] for entry in gone["Deleted"]) == sorted(keys)
assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 1

# A presigned address needs no keys.
import urllib.request
url = s3.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "streamed"})
assert urllib.request.urlopen(url).read() == b"streamed"

# A Distributed Map reads what a client stored, and a client reads what it wrote.
s3.put_object(Bucket="data", Key="in/items.json", Body=json.dumps([1, 2, 3]))
machine = {"StartAt": "M", "States": {"M": {
    "Type": "Map", "End": True,
    "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                   "Parameters": {"Bucket": "data", "Key": "in/items.json"}},
    "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "data", "Prefix": "out"}},
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                      "StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}}}}
arn = sfn.create_state_machine(name="m", definition=json.dumps(machine), roleArn="arn:aws:iam::000000000000:role/r")["stateMachineArn"]
execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
while sfn.describe_execution(executionArn=execution)["status"] == "RUNNING":
    time.sleep(0.02)
written = json.loads(sfn.describe_execution(executionArn=execution)["output"])["ResultWriterDetails"]
manifest = json.loads(s3.get_object(Bucket=written["Bucket"], Key=written["Key"])["Body"].read())
succeeded = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]
assert sorted(json.loads(row["Output"]) for row in json.loads(s3.get_object(Bucket="data", Key=succeeded)["Body"].read())) == [1, 2, 3]
