#!/usr/bin/env python3
"""Makes crates/asl/src/test_state/limits.txt: which words and lengths the responses of some services have, from the package
botocore (Apache-2.0). The types of their members are in the table of asl-aws; these limits are for TestState, which refuses
a mocked result that is beyond them.

    python3 -m venv /tmp/botocore && /tmp/botocore/bin/pip install botocore==1.44.8
    /tmp/botocore/bin/python tools/response_limits.py

A section is `= service`; a line `Member limit` holds wherever the service answers with that member, `Operation.Member limit`
in the answer of that operation, where the operations differ. A limit is `eA|B` (the words of an enum), `l1` (the least
length) or `nLEAST,MOST`.
"""
import collections
import pathlib
import re

import botocore.session

TABLE = pathlib.Path(__file__).resolve().parent.parent / "crates/asl/src/test_state/limits.txt"
SERVICES = """athena batch bedrock bedrock-runtime codebuild comprehend databrew dynamodb ecs eks emr emr-containers emr-serverless
events firehose glue kinesis kms lambda mediaconvert polly rds-data redshift-data rekognition s3 sagemaker scheduler
secretsmanager ses sns sqs ssm stepfunctions sts textract transcribe translate""".split()
# Of these two only what an optimized integration calls or waits for.
ONLY = {
    "sagemaker": r"(Create|Describe)(\w+Job|Endpoint|EndpointConfig|Model)",
    "mediaconvert": r"(Create|Get)Job",
}
# What TestState takes and the model of today does not say (recorded): a function's memory ends at 10,240 MB.
RECORDED = {("lambda", "MemorySize"): "n128,10240"}


def limit(shape):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "string" and getattr(shape, "enum", None):
        return "e" + "|".join(shape.enum)
    if shape.type_name in ("string", "blob"):
        return f"l{least}" if least else ""
    if shape.type_name in ("integer", "long", "float", "double"):
        return f"n{'' if least is None else least},{'' if most is None else most}" if (least, most) != (None, None) else ""
    return ""


def operations_of(model):
    only = ONLY.get(model.service_name, ".*")
    for name in model.operation_names:
        if not re.fullmatch(only, name):
            continue
        output = model.operation_model(name).output_shape
        found = collections.defaultdict(set)
        if output:
            flat(output, found)
        yield name, found


def flat(shape, found):
    """The limits of each scalar below a shape, by the member it stands in; elements of lists go by the list's name."""
    todo, seen = [(shape, "")], set()
    while todo:
        shape, field = todo.pop()
        if shape.type_name in ("structure", "list", "map"):
            if (shape.name, field if shape.type_name != "structure" else "") in seen:
                continue
            seen.add((shape.name, field if shape.type_name != "structure" else ""))
        if shape.type_name == "structure":
            todo += [(member, name[0].upper() + name[1:]) for name, member in shape.members.items()]
        elif shape.type_name == "list":
            todo.append((shape.member, field))
        elif shape.type_name == "map":
            todo.append((shape.value, field))
        else:
            found[field].add(limit(shape))


def main():
    session = botocore.session.get_session()
    lines = []
    for command in SERVICES:
        model = session.get_service_model(command)
        service = model.service_id.replace(" ", "").lower()
        operations = list(operations_of(model))
        everywhere = collections.defaultdict(set)
        for _, found in operations:
            for member, limits in found.items():
                everywhere[member] |= limits
        rows = []
        for member, limits in sorted(everywhere.items()):
            if len(limits) == 1:
                rows.append((member, RECORDED.get((service, member), next(iter(limits)))))
                continue
            for operation, found in operations:
                if len(found.get(member, ())) == 1:
                    rows.append((f"{operation}.{member}", next(iter(found[member]))))
        lines += [f"= {service}", *(f"{name} {limit}" for name, limit in rows if limit)]
    TABLE.write_text("\n".join(lines) + "\n")


main()
