#!/usr/bin/env python3
"""Makes crates/asl-aws/model.bin, the table of AWS's API model, from the package botocore (Apache-2.0) of a pinned version.

    python3 -m venv /tmp/botocore && /tmp/botocore/bin/pip install botocore==1.44.8
    /tmp/botocore/bin/python tools/aws_model.py

The file is an index of services and, for each service, a block compressed with raw deflate; docs/design/aws.md describes
it, crates/asl-aws/src/model/read.rs reads it. The same botocore gives the same bytes.
"""

import collections
import pathlib
import re
import sys
import zlib

import botocore
import botocore.endpoint_provider
import botocore.loaders
import botocore.session

VERSION = "1.44.8"
TABLE = pathlib.Path(__file__).resolve().parent.parent / "crates/asl-aws/model.bin"
MAGIC = b"ASLAWS1\n"
# Bytes that each block is compressed against: text that many services share. Deflate looks no further back.
DICTIONARY = 32_000

PROTOCOLS = ["json", "rest-json", "rest-xml", "query", "ec2", "smithy-rpc-v2-cbor"]
METHODS = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD"]
LOCATIONS = [None, "uri", "querystring", "header", "headers", "statusCode"]
# References below this number are shapes without parts; read.rs has the same list.
SCALARS = ["string", "integer", "long", "float", "double", "boolean", "blob", "timestamp", "iso8601", "rfc822",
           "unixTimestamp", "streaming", "document", "jsonvalue", "eventstream"]
NEW = 15


def prefix_of(service_id):
    """The name of a service in errors of AWS SDK integrations, made of its service id as the Java SDK 2 does."""
    return pascal(re.sub(r" ?Service$", "", service_id))


def exception_of(shape):
    """The name of an exception's class in the Java SDK 2."""
    shape = re.sub(r"(?<=.)Fault$", "", shape)
    return pascal(shape) if shape.endswith("Exception") else pascal(shape) + "Exception"


def pascal(text):
    """Words as the Java SDK 2 finds them, each with a capital: KMSInvalidStateException is KmsInvalidStateException."""
    text = re.sub(r"[^A-Za-z0-9]+", " ", text)
    text = re.sub(r"([^a-z]{2,})v([0-9]+)", r"\1 v\2 ", text)
    text = re.sub(r"([^A-Z]{2,})V([0-9]+)", r"\1 V\2 ", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z]([a-zA-Z]|[0-9]))", " ", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", text)
    text = re.sub(r"([0-9])([a-zA-Z])", r"\1 \2", text)
    return "".join(word.capitalize() for word in text.split())


class Block:
    """One service: numbers in one stream; texts, each once, in another."""

    def __init__(self):
        self.numbers, self.texts, self.known = bytearray(), [], {}

    def u(self, number):
        while number >= 128:
            self.numbers.append(number & 127 | 128)
            number >>= 7
        self.numbers.append(number)

    def s(self, text):
        """A text: 0 and the next of the other stream, or the number of one that was there already."""
        text = text or ""
        if text in self.known:
            self.u(self.known[text] + 1)
        else:
            assert "\n" not in text
            self.known[text] = len(self.texts)
            self.texts.append(text)
            self.u(0)

    def bytes(self):
        texts = "\n".join(self.texts).encode()
        return len(texts).to_bytes(4, "little") + texts + bytes(self.numbers)


class Service:
    def __init__(self, model, endpoints):
        self.model, self.meta, self.endpoints = model, model["metadata"], endpoints
        self.shapes, self.block, self.seen = model["shapes"], Block(), {}

    def write(self):
        block, meta = self.block, self.meta
        protocols = meta.get("protocols") or [meta["protocol"]]
        if meta["protocol"] not in protocols:
            protocols = [*protocols, meta["protocol"]]
        block.s(meta["serviceId"])
        block.s(prefix_of(meta["serviceId"]))
        block.s(meta["endpointPrefix"])
        block.s(meta.get("signingName") or meta["endpointPrefix"])
        block.u(sum(1 << PROTOCOLS.index(p) for p in protocols))
        for key in ["jsonVersion", "targetPrefix", "apiVersion"]:
            block.s(meta.get(key))
        block.s(self.namespace(meta))
        auth = meta.get("auth", [])
        bearer = "smithy.api#httpBearerAuth" in auth and "aws.auth#sigv4" not in auth
        block.u((1 if "awsQueryCompatible" in meta else 0) | (2 if bearer or meta["signatureVersion"] == "bearer" else 0))
        block.u(len(self.endpoints))
        for rule in self.endpoints:
            for text in rule:
                block.s(text)
        errors = sorted(name for name, shape in self.shapes.items() if shape.get("exception") or shape.get("error"))
        block.u(len(errors))
        for name in errors:
            error = self.shapes[name].get("error", {})
            block.s(name)
            block.s(error.get("code") if error.get("code") != name else "")
            block.s(exception_of(name) if exception_of(name) != name else "")
            block.u(error.get("httpStatusCode", 0))
        block.u(len(self.model["operations"]))
        for name, operation in sorted(self.model["operations"].items()):
            self.operation(name, operation)
        return block.bytes()

    @staticmethod
    def namespace(holder):
        value = holder.get("xmlNamespace")
        return value.get("uri") if isinstance(value, dict) else value

    def operation(self, name, operation):
        block, http = self.block, operation["http"]
        checksum = operation.get("httpChecksum", {})
        given, result = operation.get("input", {}), operation.get("output", {})
        block.s(name)
        flags = (
            (operation.get("authtype") == "none") << 0
            | (operation.get("authtype") == "v4-unsigned-body") << 1
            | bool(operation.get("httpChecksumRequired") or checksum.get("requestChecksumRequired")) << 2
            | bool(checksum.get("requestAlgorithmMember")) << 3
            | bool(operation.get("idempotent") or operation.get("readonly")) << 4
            | bool(operation.get("endpointdiscovery", {}).get("required")) << 5
        )
        block.u(flags)
        block.u(METHODS.index(http["method"]))
        block.s(http["requestUri"] if http["requestUri"] != "/" else "")
        block.s(operation.get("endpoint", {}).get("hostPrefix"))
        block.s(checksum.get("requestAlgorithmMember"))
        block.s(given.get("locationName"))
        block.s(self.namespace(given))
        block.s(result.get("resultWrapper"))
        for part in [given, result]:
            if part:
                self.reference(part["shape"])
            else:
                block.u(SCALARS.index("document"))

    def scalar(self, shape, member):
        kind = shape["type"]
        if kind == "timestamp":
            kind = member.get("timestampFormat") or shape.get("timestampFormat") or kind
        if member.get("jsonvalue"):
            kind = "jsonvalue"
        if kind == "blob" and (shape.get("streaming") or member.get("streaming")):
            kind = "streaming"
        if shape.get("document") and kind == "structure":
            kind = "document"
        if shape.get("eventstream"):
            kind = "eventstream"
        kind = {"character": "string", "bigdecimal": "double", "short": "integer", "byte": "integer"}.get(kind, kind)
        return SCALARS.index(kind) if kind in SCALARS else None

    def reference(self, name, member={}):
        shape = self.shapes[name]
        scalar = self.scalar(shape, member)
        if scalar is not None:
            self.block.u(scalar)
        elif name in self.seen:
            self.block.u(NEW + 1 + self.seen[name])
        else:
            self.seen[name] = len(self.seen)
            self.block.u(NEW)
            self.compound(name, shape)

    def compound(self, name, shape):
        block = self.block
        flat = bool(shape.get("flattened"))
        if shape["type"] == "list":
            item = shape["member"].get("locationName")
            block.u(0 | flat << 2 | bool(item) << 3)
            if item:
                block.s(item)
            self.reference(shape["member"]["shape"], shape["member"])
        elif shape["type"] == "map":
            names = [shape["key"].get("locationName"), shape["value"].get("locationName")]
            block.u(1 | flat << 2 | any(names) << 3)
            if any(names):
                block.s(names[0] or "key")
                block.s(names[1] or "value")
            self.reference(shape["value"]["shape"], shape["value"])
        else:
            assert shape["type"] == "structure", shape
            payload = shape.get("payload")
            wrapper = shape.get("locationName")
            block.u(2 | bool(payload) << 2 | bool(wrapper) << 3 | bool(shape.get("union")) << 4)
            if payload:
                block.s(payload)
            if wrapper:
                block.s(wrapper)
            required = set(shape.get("required", []))
            members = shape["members"]
            order = shape.get("xmlOrder") or list(members)
            block.u(len(order))
            for member in order:
                self.member(member, members[member], member in required)

    def member(self, name, member, required):
        block = self.block
        target = self.shapes[member["shape"]]
        location_name = member.get("locationName")
        space = member.get("xmlNamespace") or target.get("xmlNamespace") or {}
        if isinstance(space, str):
            space = {"uri": space}
        flags = (
            LOCATIONS.index(member.get("location"))
            | required << 3
            | (location_name is not None and location_name != name) << 4
            | bool(member.get("flattened")) << 5
            | bool(member.get("idempotencyToken")) << 6
            | bool(member.get("xmlAttribute")) << 7
            | bool(space) << 8
            | bool(member.get("queryName")) << 9
        )
        block.s(name)
        block.u(flags)
        if flags & 16:
            block.s(location_name)
        if flags & 256:
            block.s(space.get("prefix"))
            block.s(space.get("uri"))
        if flags & 512:
            block.s(member["queryName"])
        self.reference(member["shape"], member)


def endpoint_facts(loader, session, name, model):
    """What botocore's endpoint rules say for each region, reduced to (scope, host, signing name, signing region).

    The scope is a region, `partition NAME` or empty: the first that fits holds. In a host stand {region} and {suffix}.
    """
    try:
        rules = loader.load_service_model(name, "endpoint-rule-set-1")
    except botocore.exceptions.UnknownServiceError:
        return []
    partitions = loader.load_data("partitions")
    provider = botocore.endpoint_provider.EndpointProvider(rules, partitions)
    needed = {}
    if name == "s3":
        needed = {"Bucket": "b", "ForcePathStyle": True, "UseGlobalEndpoint": False}
    if name == "s3control":
        needed = {"RequiresAccountId": False}
    default_name = model["metadata"].get("signingName") or model["metadata"]["endpointPrefix"]
    found = {}
    for partition in partitions["partitions"]:
        regions = [r for r in partition["regions"] if "global" not in r]
        rows = {}
        for region in regions:
            try:
                got = provider.resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False, **needed)
            except Exception:
                continue
            host = got.url.removeprefix("https://").removesuffix("/b").rstrip("/")
            suffix = partition["outputs"]["dnsSuffix"]
            if host.endswith(suffix):
                host = host.removesuffix(suffix) + "{suffix}"
            host = re.sub(rf"(?<![a-z0-9]){re.escape(region)}(?![a-z0-9])", "{region}", host)
            signing_name = signing_region = ""
            for scheme in got.properties.get("authSchemes", []):
                if scheme["name"].startswith("sigv4") and "sigv4a" not in scheme["name"]:
                    signing_name = scheme.get("signingName", "")
                    signing_region = scheme.get("signingRegion", "")
                    break
            if signing_region == region:
                signing_region = ""
            if signing_name == default_name:
                signing_name = ""
            rows[region] = (host, signing_name, signing_region)
        if rows:
            usual = collections.Counter(rows.values()).most_common(1)[0][0]
            found[partition["id"]] = (usual, {r: row for r, row in rows.items() if row != usual})
    if not found:
        return []
    everywhere = collections.Counter(usual for usual, _ in found.values()).most_common(1)[0][0]
    facts = [(region, *row) for _, rows in found.values() for region, row in rows.items()]
    facts += [(f"partition {p}", *usual) for p, (usual, _) in found.items() if usual != everywhere]
    return sorted(facts) + [("", *everywhere)]


def partition_lines(loader):
    lines = []
    for p in loader.load_data("partitions")["partitions"]:
        regions = [r for r in p["regions"] if "global" not in r]
        lines.append(" ".join([p["id"], p["outputs"]["dnsSuffix"], *regions]))
    return lines


def main():
    if botocore.__version__ != VERSION:
        sys.exit(f"the table is made of botocore {VERSION}, this is {botocore.__version__}")
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    blocks, names = [], []
    for name in loader.list_available_services("service-2"):
        model = loader.load_service_model(name, "service-2")
        service = Service(model, endpoint_facts(loader, session, name, model))
        names.append((prefix_of(model["metadata"]["serviceId"]).lower(), name))
        blocks.append(service)
    raw = [service.write() for service in blocks]
    dictionary = make_dictionary([service.block.texts for service in blocks])
    packed = []
    for block in raw:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=dictionary)
        packed.append(squeeze.compress(block) + squeeze.flush())
    index = [f"botocore {VERSION}", *(f"partition {line}" for line in partition_lines(loader))]
    for (resource, name), block, pack in sorted(zip(names, raw, packed), key=lambda row: row[0]):
        index.append(f"{resource} {name} {len(block)} {len(pack)}")
    head = "\n".join(index).encode()
    shelf = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    shelf = shelf.compress(dictionary) + shelf.flush()
    order = sorted(range(len(names)), key=lambda i: names[i])
    body = b"".join(packed[i] for i in order)
    numbers = [len(head), len(dictionary), len(shelf)]
    data = MAGIC + b"".join(n.to_bytes(4, "little") for n in numbers) + head + shelf + body
    TABLE.write_bytes(data)
    print(f"{len(names)} services, {sum(len(s.model['operations']) for s in blocks)} operations, "
          f"{sum(map(len, raw)):,} bytes, compressed {len(data):,}")


def make_dictionary(texts):
    """The texts that most services have, the most frequent last, where deflate reaches them with the shortest distance."""
    count = collections.Counter(text for service in texts for text in service)
    shared = [t for t, n in count.most_common() if n > 2 and 3 < len(t) < 80]
    size, chosen = 0, []
    for text in sorted(shared, key=lambda t: (-count[t] * len(t), t)):
        if size + len(text) + 1 > DICTIONARY:
            break
        chosen.append(text)
        size += len(text) + 1
    chosen.sort(key=lambda t: (count[t], t))
    return "\n".join(chosen).encode()


main()
