#!/usr/bin/env python3
"""Records crates/asl-aws/tests/golden.jsonl: what botocore sends for an operation, and what it reads of an answer.

    /tmp/botocore/bin/python tools/aws_golden.py      (botocore of the version in tools/aws_model.py)

Nothing is sent: the HTTP session is replaced. Time and credentials are fixed, so signatures are the same each time. Three
things are asked of botocore that it does otherwise by default: JSON without blanks after `,` and `:` and without escapes;
checksums only where they are required; and no headers of its own about itself (user agent, invocation id, Expect).

A line is a case: the parameters in the names of AWS SDK integrations, the request, a response (written by hand here), and the
result in those names, or the error's code and message.
"""

import base64
import datetime
import json
import pathlib
import re
import sys
import unittest.mock

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.httpsession
import botocore.serialize
import botocore.session

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "crates/asl-aws/tests/golden.jsonl"
NOW = datetime.datetime(2026, 8, 28, 20, 34, 59)
REGION = "eu-central-1"
OWN_HEADERS = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "expect", "content-length", "x-amzn-trace-id"}
RESERVED = {"equals", "default", "class", "package", "public", "private", "return", "continue", "import", "enum", "null"}


def key_of(name):
    """The Java SDK 2's name of a member, with a capital: a second writing of the rule, apart from the one in Rust."""
    if name == "NULL":
        return "Nul"
    head = re.match(r"[A-Z]+(?![a-z])|[A-Za-z]", name)
    lowered = name[: head.end()].lower() + name[head.end():] if head else name
    if lowered in RESERVED:
        lowered += "Value"
    return lowered[:1].upper() + lowered[1:]


def shown(shape, value):
    """A value in the names and forms of AWS SDK integrations."""
    kind = shape.type_name
    if kind == "structure" and not shape.is_document_type:
        return {key_of(k): shown(shape.members[k], v) for k, v in value.items() if k in shape.members}
    if kind == "list":
        return [shown(shape.member, v) for v in value]
    if kind == "map":
        return {k: shown(shape.value, v) for k, v in value.items()}
    if kind == "timestamp":
        at = value.astimezone(datetime.timezone.utc)
        fraction = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
        return at.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
    if kind == "blob":
        value = value.read() if hasattr(value, "read") else value
        value = value.encode() if isinstance(value, str) else value
        try:
            text = value.decode()
            if not any(ord(c) < 32 and c not in "\n\r\t" or ord(c) == 127 for c in text):
                return text
        except UnicodeDecodeError:
            pass
        return base64.b64encode(value).decode()
    if shape.serialization.get("jsonvalue") and not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"))
    return value


class Compact:
    """Stands in for the module json in botocore's serialisers."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value, **_):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def text_or_bytes(body):
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def record(service, operation, parameters, response):
    status, headers, body = response
    body = body.encode() if isinstance(body, str) else body
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a/session+token==")
    config = botocore.config.Config(
        retries={"total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "virtual"},
        account_id_endpoint_mode="disabled",
        parameter_validation=True,
    )
    client = session.create_client(service, REGION, config=config)
    sent = []

    def strip(request, **_):
        for name in list(request.headers.keys()):
            if name.lower() in OWN_HEADERS:
                del request.headers[name]

    # Last of what changes a request before it is signed.
    client.meta.events.register_last("before-sign.*.*", strip)

    def send(_, request):
        sent.append(request)
        raw = unittest.mock.Mock()
        raw.stream = lambda *a, **k: iter([body])
        answer = botocore.awsrequest.AWSResponse(request.url, status, botocore.compat.HTTPHeaders(), raw)
        for name, value in headers.items():
            answer.headers[name] = value
        answer.raw.read = lambda *a, **k: body
        return answer

    model = client.meta.service_model.operation_model(operation)
    case = {"service": service, "operation": operation, "region": REGION}
    case["parameters"] = shown(model.input_shape, parameters) if model.input_shape else {}
    method = botocore.xform_name(operation)
    with unittest.mock.patch.object(botocore.httpsession.URLLib3Session, "send", send), \
            unittest.mock.patch.object(botocore.auth, "get_current_datetime", lambda *a: NOW), \
            unittest.mock.patch.object(botocore.serialize, "json", Compact):
        try:
            got = getattr(client, method)(**parameters)
        except botocore.exceptions.ClientError as error:
            found = error.response["Error"]
            case["error"] = {"code": found.get("Code"), "message": found.get("Message", "")}
        else:
            got.pop("ResponseMetadata")
            case["result"] = shown(model.output_shape, got) if model.output_shape else {}
    request = sent[0]
    given = request.body or b""
    given = given.encode() if isinstance(given, str) else given if isinstance(given, bytes) else given.read()
    case["request"] = {
        "method": request.method,
        "url": request.url,
        "headers": sorted([k.lower(), v.decode() if isinstance(v, bytes) else v]
                          for k, v in request.headers.items() if k.lower() not in OWN_HEADERS),
        "body": text_or_bytes(given),
    }
    case["response"] = {"status": status, "headers": sorted(headers.items()), "body": text_or_bytes(body)}
    return case


def cbor(value):
    """As much of CBOR as the answers below need."""
    def head(major, n):
        return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + n.to_bytes(2, "big")
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, float):
        import struct
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, datetime.datetime):
        return b"\xc1" + cbor(value.timestamp())
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return b"\x9f" + b"".join(map(cbor, value)) + b"\xff"
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


AT = datetime.datetime(2026, 8, 28, 20, 34, 59, tzinfo=datetime.timezone.utc)
AT_MS = AT.replace(microsecond=712000)
BYTES = bytes(range(120, 200))
REQUEST_ID = {"x-amzn-RequestId": "b25f48e8-84fd-11e6-80d9-574e0c4664cb"}
S3_ID = {"x-amz-request-id": "4442587FB7D0A2F9", "x-amz-id-2": "Xk/abc="}
JSON = {"Content-Type": "application/json", **REQUEST_ID}
XML = {"Content-Type": "text/xml", **REQUEST_ID}


def xml(name, body, space="https://x/"):
    return (f'<?xml version="1.0"?>\n<{name}Response xmlns="{space}"><{name}Result>{body}</{name}Result><ResponseMetadata>'
            f"<RequestId>r-1</RequestId></ResponseMetadata></{name}Response>")


def refused(code, message):
    return (f'<ErrorResponse xmlns="https://x/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>'
            f"</Error><RequestId>r-2</RequestId></ErrorResponse>")


CASES = [
    # json 1.0
    ("dynamodb", "PutItem", {"TableName": "Rides", "Item": {
        "id": {"S": "ä\"1\""}, "n": {"N": "1.50"}, "b": {"B": BYTES}, "t": {"BOOL": True}, "z": {"NULL": True},
        "l": {"L": [{"S": "x"}, {"M": {"k": {"SS": ["a", "b"]}}}]}, "ns": {"NS": ["1"]}, "bs": {"BS": [BYTES]}},
        "ReturnValues": "ALL_OLD"},
     (200, JSON, json.dumps({"Attributes": {"id": {"S": "1"}, "t": {"BOOL": False}, "z": {"NULL": True},
                                            "b": {"B": base64.b64encode(BYTES).decode()}, "e": {"L": []}}}))),
    ("dynamodb", "DescribeTable", {"TableName": "Rides"},
     (200, JSON, json.dumps({"Table": {"TableName": "Rides", "CreationDateTime": 1787949299.712, "ItemCount": 9007199254740993,
                                       "SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": "arn"}, "Unknown": 1}}))),
    ("dynamodb", "GetItem", {"TableName": "Rides", "Key": {"id": {"S": "1"}}},
     (400, JSON, '{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}')),
    ("dynamodb", "UpdateItem", {"TableName": "R", "Key": {"id": {"S": "1"}}, "ConditionExpression": "attribute_exists(id)"},
     (400, JSON, '{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Message":"The conditional request failed"}')),
    ("stepfunctions", "DescribeExecution", {"executionArn": "arn:aws:states:eu-central-1:1:execution:m:e"},
     (200, JSON, json.dumps({"executionArn": "a", "status": "RUNNING", "startDate": 1787949299.712, "inputDetails": {"included": True}}))),
    ("sqs", "SendMessage", {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/q", "MessageBody": "hello",
                            "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": BYTES}}},
     (200, JSON, json.dumps({"MessageId": "m", "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592"}))),
    ("sqs", "GetQueueUrl", {"QueueName": "none"},
     (400, {**JSON, "x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
      '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}')),
    ("cloudwatch", "PutMetricData", {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1.5, "Timestamp": AT}]},
     (200, JSON, "")),
    # json 1.1
    ("kms", "Encrypt", {"KeyId": "alias/a", "Plaintext": b"hello", "EncryptionContext": {"k": "v"}},
     (200, JSON, json.dumps({"CiphertextBlob": base64.b64encode(BYTES).decode(), "KeyId": "arn"}))),
    ("kms", "Decrypt", {"CiphertextBlob": BYTES},
     (400, JSON, '{"__type":"KMSInvalidStateException","message":"arn is pending deletion."}')),
    ("events", "PutEvents", {"Entries": [{"Time": AT, "Source": "s", "Resources": [], "DetailType": "t", "Detail": "{\"a\":1}"}]},
     (200, JSON, json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}))),
    ("secretsmanager", "CreateSecret", {"Name": "n", "SecretString": "s", "ClientRequestToken": "11111111-2222-3333-4444-555555555555",
                                        "Tags": [{"Key": "k", "Value": "v"}]},
     (200, JSON, json.dumps({"ARN": "arn", "Name": "n", "VersionId": "v"}))),
    ("ecs", "RunTask", {"taskDefinition": "t:1", "overrides": {"containerOverrides": [{"name": "c", "environment": [{"name": "A", "value": "1"}]}]},
                        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}, "clientToken": "token"},
     (200, JSON, json.dumps({"tasks": [{"taskArn": "a", "createdAt": 1787949299.712}], "failures": []}))),
    ("kinesis", "PutRecord", {"StreamName": "s", "Data": b"{\"a\":1}", "PartitionKey": "p"},
     (200, JSON, json.dumps({"ShardId": "0", "SequenceNumber": "1"}))),
    ("glue", "GetTable", {"DatabaseName": "d", "Name": "n"}, (400, JSON, '{"__type":"EntityNotFoundException","Message":"Entity Not Found"}')),
    ("logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1787949299712, "message": "m"}]},
     (200, JSON, json.dumps({"nextSequenceToken": "n"}))),
    ("ssm", "GetParameters", {"Names": ["/a/b"], "WithDecryption": True},
     (200, JSON, json.dumps({"Parameters": [{"Name": "/a/b", "Version": 1, "LastModifiedDate": 1787949299.0, "ARN": "arn"}], "InvalidParameters": []}))),
    ("organizations", "DescribeOrganization", {}, (400, JSON, '{"__type":"AWSOrganizationsNotInUseException","Message":"no"}')),
    # rest-json
    ("lambda", "Invoke", {"FunctionName": "f", "InvocationType": "RequestResponse", "Payload": b"{\"a\":1}", "Qualifier": "1"},
     (200, {**JSON, "X-Amz-Executed-Version": "1"}, '{"ok":true}')),
    ("lambda", "GetFunction", {"FunctionName": "arn:aws:lambda:eu-central-1:1:function:f"},
     (404, {**JSON, "x-amzn-ErrorType": "ResourceNotFoundException"}, '{"Type":"User","Message":"Function not found: f"}')),
    ("lambda", "ListFunctions", {"MaxItems": 5, "FunctionVersion": "ALL"},
     (200, JSON, json.dumps({"Functions": [{"FunctionName": "f", "KMSKeyArn": "k", "Environment": {"Variables": {"a": "b"}},
                                            "LastModified": "2026-08-28T20:34:59.712+0000", "TracingConfig": None}], "NextMarker": None}))),
    ("lambda", "TagResource", {"Resource": "arn:aws:lambda:eu-central-1:1:function:f", "Tags": {"k": "v w"}}, (204, JSON, "")),
    ("lambda", "UntagResource", {"Resource": "arn:aws:lambda:eu-central-1:1:function:f", "TagKeys": ["a", "b c&d"]}, (204, JSON, "")),
    ("batch", "SubmitJob", {"jobName": "n", "jobQueue": "q", "jobDefinition": "d", "parameters": {"p": "v"}, "timeout": {"attemptDurationSeconds": 60}},
     (200, JSON, json.dumps({"jobArn": "a", "jobName": "n", "jobId": "i"}))),
    ("apigateway", "GetRestApis", {"limit": 2, "position": "p/q"},
     (200, JSON, json.dumps({"item": [{"id": "i", "createdDate": 1787949299}]}))),
    ("xray", "GetServiceGraph", {"StartTime": AT, "EndTime": AT}, (200, JSON, json.dumps({"StartTime": 1787949299.0, "Services": []}))),
    ("iot-data", "Publish", {"topic": "a/b", "qos": 1, "payload": b"hi", "userProperties": [{"a": "1"}], "payloadFormatIndicator": "UTF8_DATA"}, (200, JSON, "")),
    ("eks", "DescribeCluster", {"name": "c"}, (200, JSON, json.dumps({"cluster": {"name": "c", "createdAt": 1787949299.712, "certificateAuthority": {"data": "eA=="}}}))),
    ("bedrock-runtime", "InvokeModel", {"modelId": "anthropic.claude:0", "body": b"{\"max_tokens\":1}", "contentType": "application/json"},
     (200, {"Content-Type": "application/json", **REQUEST_ID}, '{"content":[]}')),
    ("scheduler", "CreateSchedule", {"Name": "s", "ScheduleExpression": "rate(1 day)", "StartDate": AT, "FlexibleTimeWindow": {"Mode": "OFF"},
                                     "Target": {"Arn": "a", "RoleArn": "r"}, "ClientToken": "token"},
     (200, JSON, json.dumps({"ScheduleArn": "arn"}))),
    ("lex-runtime", "PostContent", {"botName": "b", "botAlias": "a", "userId": "user", "contentType": "text/plain; charset=utf-8",
                                    "sessionAttributes": {"a": 1}, "inputStream": b"hello"},
     (200, {"x-amz-lex-message": "hi", "x-amz-lex-session-attributes": base64.b64encode(b'{"a":1}').decode(), **REQUEST_ID}, b"\x00\x01\xff")),
    ("pinpoint", "CreateApp", {"CreateApplicationRequest": {"Name": "n", "tags": {"a": "b"}}},
     (201, JSON, json.dumps({"Arn": "a", "Id": "i", "Name": "n"}))),
    ("mediaconvert", "ListJobs", {"MaxResults": 1, "Order": "ASCENDING"}, (200, JSON, json.dumps({"jobs": [], "nextToken": "n"}))),
    ("glacier", "ListVaults", {"accountId": "-", "limit": "5"}, (200, JSON, json.dumps({"VaultList": [{"CreationDate": "2026-08-28T20:34:59.712Z"}]}))),
    ("schemas", "GetResourcePolicy", {"RegistryName": "r"}, (200, JSON, json.dumps({"Policy": "{}", "RevisionId": "1"}))),
    # rest-xml
    ("s3", "PutObject", {"Bucket": "my-bucket", "Key": "a b/ü+~.txt", "Body": b"{\"a\":1}", "ContentType": "application/json",
                         "Metadata": {"owner-Name": "me", "x": "1"}, "Tagging": "a=b&c=d", "Expires": AT},
     (200, {**S3_ID, "ETag": "\"5d41\"", "x-amz-version-id": "v"}, "")),
    ("s3", "GetObject", {"Bucket": "my-bucket", "Key": "k", "IfModifiedSince": AT, "Range": "bytes=0-9"},
     (200, {**S3_ID, "ETag": "\"5d41\"", "Last-Modified": "Fri, 28 Aug 2026 20:34:59 GMT", "Content-Length": "5", "Content-Type": "text/plain",
            "x-amz-meta-owner-Name": "me", "x-amz-missing-meta": "2", "x-amz-server-side-encryption-bucket-key-enabled": "true"}, "hello")),
    ("s3", "HeadObject", {"Bucket": "my-bucket", "Key": "none"}, (404, S3_ID, "")),
    ("s3", "GetObject", {"Bucket": "my-bucket", "Key": "none"},
     (404, {**S3_ID, "Content-Type": "application/xml"}, "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>none</Key><RequestId>4442587FB7D0A2F9</RequestId><HostId>Xk/abc=</HostId></Error>")),
    ("s3", "ListObjectsV2", {"Bucket": "my-bucket", "Prefix": "a/", "MaxKeys": 1, "Delimiter": "/", "EncodingType": "url"},
     (200, S3_ID, '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>my-bucket</Name><Prefix>a/</Prefix><KeyCount>2</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>a/&lt;1&gt;</Key><LastModified>2026-08-28T20:34:59.712Z</LastModified><ETag>&quot;x&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes></ListBucketResult>')),
    ("s3", "ListBuckets", {}, (200, S3_ID, '<ListAllMyBucketsResult xmlns="x"><Owner><ID>o</ID></Owner><Buckets><Bucket><Name>b</Name><CreationDate>2026-08-28T20:34:59.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>')),
    ("s3", "CreateBucket", {"Bucket": "my-bucket", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}},
     (200, {**S3_ID, "Location": "/my-bucket"}, "")),
    ("s3", "DeleteObjects", {"Bucket": "my-bucket", "Delete": {"Objects": [{"Key": "a&b"}, {"Key": "c"}], "Quiet": True}},
     (200, S3_ID, "<DeleteResult/>")),
    ("s3", "PutBucketTagging", {"Bucket": "my-bucket", "Tagging": {"TagSet": [{"Key": "k", "Value": "v<"}]}}, (204, S3_ID, "")),
    ("s3", "PutBucketAcl", {"Bucket": "my-bucket", "AccessControlPolicy": {"Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "i"}, "Permission": "READ"}], "Owner": {"ID": "i"}}},
     (200, S3_ID, "")),
    ("s3", "GetBucketAcl", {"Bucket": "my-bucket"},
     (200, S3_ID, '<AccessControlPolicy xmlns="x"><Owner><ID>i</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>i</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>')),
    ("s3", "CopyObject", {"Bucket": "my-bucket", "Key": "k", "CopySource": "other/k"},
     (200, S3_ID, "<CopyObjectResult><ETag>\"e\"</ETag><LastModified>2026-08-28T20:34:59.000Z</LastModified></CopyObjectResult>")),
    ("s3", "PutBucketLifecycleConfiguration", {"Bucket": "my-bucket", "LifecycleConfiguration": {"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": AT}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}]}}, (200, S3_ID, "")),
    ("route53", "ChangeResourceRecordSets", {"HostedZoneId": "/hostedzone/Z1", "ChangeBatch": {"Changes": [
        {"Action": "UPSERT", "ResourceRecordSet": {"Name": "a.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "1.2.3.4"}]}}]}},
     (200, XML, '<ChangeResourceRecordSetsResponse xmlns="x"><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-08-28T20:34:59.712Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>')),
    ("route53", "GetHostedZone", {"Id": "Z1"}, (404, XML, refused("NoSuchHostedZone", "No hosted zone found with ID: Z1"))),
    ("cloudfront", "CreateInvalidation", {"DistributionId": "D", "InvalidationBatch": {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "c"}},
     (201, {**XML, "Location": "https://x"}, '<Invalidation xmlns="x"><Id>I</Id><Status>InProgress</Status><CreateTime>2026-08-28T20:34:59Z</CreateTime><InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/*</Path></Items></Paths><CallerReference>c</CallerReference></InvalidationBatch></Invalidation>')),
    # query
    ("sns", "Publish", {"TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": "a b+c\nä", "MessageAttributes": {
        "k": {"DataType": "String", "StringValue": "v"}, "b": {"DataType": "Binary", "BinaryValue": BYTES}}},
     (200, XML, xml("Publish", "<MessageId>m</MessageId>"))),
    ("sns", "GetTopicAttributes", {"TopicArn": "arn"},
     (200, XML, xml("GetTopicAttributes", "<Attributes><entry><key>Owner</key><value>1</value></entry></Attributes>"))),
    ("sns", "GetTopicAttributes", {"TopicArn": "arn"}, (404, XML, refused("NotFound", "Topic does not exist"))),
    ("sts", "GetCallerIdentity", {}, (200, XML, xml("GetCallerIdentity", "<UserId>U</UserId><Account>1</Account><Arn>arn</Arn>"))),
    ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "session", "DurationSeconds": 900, "Tags": [{"Key": "k", "Value": "v"}]},
     (200, XML, xml("AssumeRole", "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>2026-08-28T20:34:59Z</Expiration></Credentials>"))),
    ("iam", "ListUsers", {"PathPrefix": "/a/"},
     (200, XML, xml("ListUsers", "<IsTruncated>false</IsTruncated><Users><member><UserName>u</UserName><CreateDate>2026-08-28T20:34:59Z</CreateDate></member></Users>"))),
    ("iam", "ListRoles", {}, (200, XML, xml("ListRoles", "<IsTruncated>false</IsTruncated><Roles/>"))),
    ("iam", "GetRole", {"RoleName": "none"}, (404, XML, refused("NoSuchEntity", "The role with name none cannot be found."))),
    ("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "d", "Filters": [{"Name": "engine", "Values": ["mysql", "postgres"]}]},
     (200, XML, xml("DescribeDBInstances", "<DBInstances><DBInstance><DBInstanceIdentifier>d</DBInstanceIdentifier><InstanceCreateTime>2026-08-28T20:34:59.712Z</InstanceCreateTime><MultiAZ>false</MultiAZ><AllocatedStorage>20</AllocatedStorage><VpcSecurityGroups><VpcSecurityGroupMembership><Status>active</Status></VpcSecurityGroupMembership></VpcSecurityGroups></DBInstance></DBInstances>"))),
    ("rds", "DeleteDBInstance", {"DBInstanceIdentifier": "none", "SkipFinalSnapshot": True}, (404, XML, refused("DBInstanceNotFound", "DBInstance none not found."))),
    ("cloudformation", "CreateStack", {"StackName": "s", "TemplateBody": "{}", "Parameters": [{"ParameterKey": "k", "ParameterValue": "v"}], "Capabilities": ["CAPABILITY_IAM"], "NotificationARNs": []},
     (200, XML, xml("CreateStack", "<StackId>i</StackId>"))),
    ("autoscaling", "SetDesiredCapacity", {"AutoScalingGroupName": "g", "DesiredCapacity": 2, "HonorCooldown": False}, (200, XML, "<SetDesiredCapacityResponse xmlns=\"x\"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></SetDesiredCapacityResponse>")),
    ("ses", "SendEmail", {"Source": "a@b", "Destination": {"ToAddresses": ["c@d"]}, "Message": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
     (200, XML, xml("SendEmail", "<MessageId>m</MessageId>"))),
    ("elasticbeanstalk", "DescribeApplications", {"ApplicationNames": ["a"]},
     (200, XML, xml("DescribeApplications", "<Applications><member><ApplicationName>a</ApplicationName><Versions/></member></Applications>"))),
    ("redshift", "DescribeClusters", {"ClusterIdentifier": "c", "TagKeys": ["a"]},
     (200, XML, xml("DescribeClusters", "<Clusters><Cluster><ClusterIdentifier>c</ClusterIdentifier><ClusterNodes><member><NodeRole>LEADER</NodeRole></member></ClusterNodes></Cluster></Clusters>"))),
    # ec2
    ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"], "Filters": [{"Name": "tag:a", "Values": ["b", "c"]}], "DryRun": False},
     (200, XML, '<DescribeInstancesResponse xmlns="x"><requestId>r</requestId><reservationSet><item><reservationId>r-1</reservationId><groupSet/><instancesSet><item><instanceId>i-1</instanceId><launchTime>2026-08-28T20:34:59.000Z</launchTime><instanceState><code>16</code><name>running</name></instanceState><tagSet><item><key>a</key><value>b</value></item></tagSet><ebsOptimized>true</ebsOptimized></item></instancesSet></item></reservationSet></DescribeInstancesResponse>')),
    ("ec2", "RunInstances", {"ImageId": "ami", "MinCount": 1, "MaxCount": 1, "ClientToken": "token", "SecurityGroupIds": ["sg"],
                             "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "Encrypted": True}}],
                             "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]},
     (200, XML, '<RunInstancesResponse xmlns="x"><requestId>r</requestId><reservationId>r-1</reservationId><instancesSet><item><instanceId>i</instanceId></item></instancesSet></RunInstancesResponse>')),
    ("ec2", "TerminateInstances", {"InstanceIds": ["i-0"]},
     (400, XML, "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The instance ID 'i-0' does not exist</Message></Error></Errors><RequestID>r-3</RequestID></Response>")),
    # rpc-v2-cbor
    ("cloudwatchomni", "CreateDomain", None, None),
    ("eventbridgev2", "CreateEventBus", None, None),
]


def cbor_cases():
    """Cases of services that speak nothing but CBOR: made of the first string, number, list and time their models have."""
    session = botocore.session.get_session()
    for service, operation in [(c[0], c[1]) for c in CASES if c[2] is None]:
        model = session.get_service_model(service).operation_model(operation)
        given = sample(model.input_shape, 0)
        body = cbor(answer(model.output_shape, 0))
        yield service, operation, given, (200, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", **REQUEST_ID}, body)
        error = cbor({"__type": "aws.x#ResourceNotFoundException", "message": "nothing here"})
        yield service, operation, given, (404, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", **REQUEST_ID}, error)


def sample(shape, depth, timestamps=AT):
    kind = shape.type_name
    if kind == "structure":
        wanted = list(shape.members.items())
        if shape.is_tagged_union:
            wanted = wanted[:1]
        elif depth > 2:
            wanted = [(n, s) for n, s in wanted if n in shape.required_members]
        return {n: sample(s, depth + 1, timestamps) for n, s in wanted}
    if kind == "list":
        return [sample(shape.member, depth + 1, timestamps)]
    if kind == "map":
        return {sample(shape.key, depth + 1): sample(shape.value, depth + 1, timestamps)}
    if kind == "string":
        return shape.enum[0] if shape.enum else "x" * max(1, int(shape.metadata.get("min", 1)))
    simple = {"integer": 300, "long": 70000, "float": 1.5, "double": 2.25, "boolean": True, "blob": BYTES, "timestamp": timestamps}
    return simple[kind]


def answer(shape, depth):
    return sample(shape, depth, AT_MS)


def main():
    cases = [c for c in CASES if c[2] is not None] + list(cbor_cases())
    lines = []
    for case in cases:
        try:
            lines.append(json.dumps(record(*case), ensure_ascii=False))
        except Exception as error:
            sys.exit(f"{case[0]}:{case[1]}: {error!r}")
    GOLDEN.write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} cases")


main()
