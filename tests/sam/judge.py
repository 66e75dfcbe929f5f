#!/usr/bin/env python3
"""Compares what aws-sam-translator makes of templates with what asl makes of them.

Usage: judge.py --asl PATH [TEMPLATE...]. The translator and PyYAML must be on PYTHONPATH (`.ci/run` installs them). For every
state machine of a template, four things must agree: that it is there, its name and type, its substitutions, and its
definition with the substitutions in it. The translator leaves CloudFormation's functions in its answer, so they are called
here, by code that has nothing in common with asl's.
"""

import argparse
import base64
import contextlib
import copy
import io
import json
import os
import pathlib
import re
import subprocess
import sys

import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

REGION, ACCOUNT, STACK = "us-east-1", "000000000000", "judged"
FOLDER = pathlib.Path(__file__).parent / "templates"


class Loader(yaml.SafeLoader):
    """YAML with the short forms of functions, as the SAM command line reads it."""


def function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", function)


IMPORTS = {"Shared-Table": "shared-fares", "Shared-Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shared"}


class Resolver:
    """CloudFormation's functions, over the names that asl gave to resources without one."""

    def __init__(self, template, parameters, names):
        self.template, self.parameters, self.names = template, parameters, names
        self.resources = template["Resources"]

    def condition(self, node):
        if isinstance(node, str):
            return self.condition(self.template["Conditions"][node])
        (key, value), = node.items()
        if key == "Condition":
            return self.condition(value)
        if key == "Fn::Equals":
            a, b = (self.text(part) for part in value)
            return a == b
        if key == "Fn::Not":
            return not self.condition(value[0])
        return (all if key == "Fn::And" else any)([self.condition(part) for part in value])

    def text(self, node):
        value = self.value(node)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def value(self, node):
        if isinstance(node, list):
            values = [self.value(item) for item in node]
            return [value for value in values if value is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, argument), = node.items()
            if key == "Ref":
                return self.ref(argument)
            if key.startswith("Fn::"):
                return getattr(self, key[4:].lower())(argument)
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not None}

    def ref(self, name):
        pseudo = {
            "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": STACK, "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": None, "AWS::NotificationARNs": [],
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/00000000-0000-0000-0000-000000000000",
        }
        if name in pseudo:
            return pseudo[name]
        parameter = self.template.get("Parameters", {}).get(name)
        if parameter is not None:
            value = self.parameters.get(name, parameter.get("Default"))
            value = "true" if value is True else "false" if value is False else str(value)
            if "List" in parameter.get("Type", "String"):
                return [part.strip() for part in value.split(",")]
            return value
        resource = self.resources[name]
        kind = resource["Type"]
        properties = resource.get("Properties", {})
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name(name)}"
        if kind == "AWS::SNS::Topic":
            return self.arn("sns", self.name(name))
        if kind in ("AWS::StepFunctions::StateMachine", "AWS::StepFunctions::Activity"):
            return self.getatt([name, "Arn"])
        if kind == "AWS::Lambda::LayerVersion":
            return self.arn("lambda", f"layer:{properties.get('LayerName', name)}:1")
        if kind == "AWS::Lambda::Version":
            return self.arn("lambda", f"function:{self.text(properties['FunctionName'])}:1")
        if kind == "AWS::Lambda::Alias":
            return self.arn("lambda", f"function:{self.text(properties['FunctionName'])}:{self.text(properties['Name'])}")
        if kind == "AWS::StepFunctions::StateMachineVersion":
            return self.text(properties["StateMachineArn"]) + ":1"
        if kind == "AWS::StepFunctions::StateMachineAlias":
            if "RoutingConfiguration" in properties:
                version = self.text(properties["RoutingConfiguration"][0]["StateMachineVersionArn"])
            else:
                version = self.text(properties["DeploymentPreference"]["StateMachineVersionArn"])
            return f"{version.rsplit(':', 1)[0]}:{self.text(properties['Name'])}"
        return self.name(name)

    def name(self, logical):
        resource = self.resources[logical]
        of = {"AWS::Lambda::Function": "FunctionName", "AWS::DynamoDB::Table": "TableName", "AWS::SNS::Topic": "TopicName",
              "AWS::SQS::Queue": "QueueName", "AWS::StepFunctions::StateMachine": "StateMachineName",
              "AWS::StepFunctions::Activity": "Name", "AWS::S3::Bucket": "BucketName", "AWS::Events::EventBus": "Name",
              "AWS::Events::Connection": "Name", "AWS::Events::Rule": "Name", "AWS::IAM::Role": "RoleName"}
        given = resource.get("Properties", {}).get(of.get(resource["Type"], ""))
        given = self.value(given) if given is not None else None
        if given is not None:
            return self.text(given)
        return self.names.get(logical, f"{STACK}-{logical}")

    @staticmethod
    def arn(service, rest):
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"

    def getatt(self, argument):
        logical, attribute = argument.split(".", 1) if isinstance(argument, str) else (argument[0], ".".join(argument[1:]))
        kind, name = self.resources[logical]["Type"], self.name(logical)
        before = {"AWS::Lambda::Function": ("lambda", "function:"), "AWS::DynamoDB::Table": ("dynamodb", "table/"),
                  "AWS::SQS::Queue": ("sqs", ""), "AWS::StepFunctions::StateMachine": ("states", "stateMachine:"),
                  "AWS::StepFunctions::Activity": ("states", "activity:"), "AWS::Events::EventBus": ("events", "event-bus/"),
                  "AWS::Events::Connection": ("events", "connection/"), "AWS::Events::Rule": ("events", "rule/"),
                  "AWS::ECS::Cluster": ("ecs", "cluster/")}
        if attribute == "Arn":
            if kind == "AWS::S3::Bucket":
                return f"arn:aws:s3:::{name}"
            if kind == "AWS::IAM::Role":
                return f"arn:aws:iam::{ACCOUNT}:role/{name}"
            return self.arn(before[kind][0], before[kind][1] + name)
        if attribute == "TopicArn":
            return self.arn("sns", name)
        if attribute == "QueueUrl":
            return self.ref(logical)
        if attribute == "StateMachineRevisionId":
            return "INITIAL"
        if attribute == "StreamArn":
            return self.arn("dynamodb", f"table/{name}/stream/1970-01-01T00:00:00.000")
        assert attribute in ("Name", "TopicName", "QueueName"), attribute
        return name

    def sub(self, argument):
        text, own = argument if isinstance(argument, list) else (argument, {})

        def value(match):
            key = match.group(1).strip()
            if key.startswith("!"):
                return "${" + key[1:] + "}"
            if key in own:
                return self.text(own[key])
            found = self.getatt(key) if "." in key else self.ref(key)
            return ",".join(found) if isinstance(found, list) else str(found)

        return re.sub(r"\$\{([^}]*)\}", value, text)

    def join(self, argument):
        return self.text(argument[0]).join(self.text(item) for item in self.value(argument[1]))

    def select(self, argument):
        return self.value(argument[1])[int(self.text(argument[0]))]

    def split(self, argument):
        return self.text(argument[1]).split(argument[0])

    def findinmap(self, argument):
        found = self.template["Mappings"]
        for key in argument[:3]:
            key = self.text(key)
            if key not in found and len(argument) > 3:
                return self.value(argument[3]["DefaultValue"])
            found = found[key]
        return found

    def tojsonstring(self, argument):
        return json.dumps(self.value(argument), separators=(",", ":"))

    def length(self, argument):
        return len(self.value(argument))

    def getazs(self, argument):
        return [(self.text(argument) or REGION) + zone for zone in "abc"]

    def base64(self, argument):
        return base64.b64encode(self.text(argument).encode()).decode()

    def importvalue(self, argument):
        return IMPORTS[self.text(argument)]

    # `getattr` finds functions by their lower-case names; `Fn::If` would be a keyword.
    def __getattr__(self, name):
        if name == "if":
            return lambda argument: self.value(argument[1] if self.condition(argument[0]) else argument[2])
        raise AttributeError(name)


def packaged(template):
    """As `sam package` leaves it: what is local is in a bucket, under its path."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("DefinitionUri", "CodeUri", "ContentUri"):
            if isinstance(properties.get(name), str) and not properties[name].startswith("s3://"):
                properties[name] = {"Bucket": "packaged", "Key": properties[name]}
    shared = template.get("Globals", {}).get("Function", {})
    if isinstance(shared.get("CodeUri"), str):
        shared["CodeUri"] = {"Bucket": "packaged", "Key": shared["CodeUri"]}
    return template


def translated(template, parameters):
    if "Transform" not in template:
        return template
    # Values that CloudFormation would hand over.
    os.environ["AWS_DEFAULT_REGION"] = REGION
    return Translator({}, Parser()).translate(packaged(template), dict(parameters), {})


def substituted(text, values):
    """`${Key}` in a definition, escaped where it stands in a JSON string."""
    def value(match):
        key = match.group(1)
        if key not in values:
            return match.group(0)
        quotes = re.findall(r'(?<!\\)(?:\\\\)*"', text[: match.start()])
        return json.dumps(values[key])[1:-1] if len(quotes) % 2 else values[key]

    return re.sub(r"\$\{([A-Za-z0-9_.:-]+)\}", value, text)


def definition(properties, resolver, substitutions, folder):
    if "DefinitionString" in properties:
        text = resolver.text(properties["DefinitionString"])
    elif "Definition" in properties:
        text = json.dumps(resolver.value(properties["Definition"]))
    else:
        where = properties["DefinitionS3Location"]
        key = where if isinstance(where, str) else resolver.text(where["Key"])
        text = (folder / key).read_text()
    text = substituted(text, substitutions)
    return json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader)


def wanted(template, parameters, names, folder):
    whole = translated(template, parameters)
    resolver = Resolver(whole, parameters, names)
    machines = {}
    for logical, resource in whole["Resources"].items():
        if resource["Type"] != "AWS::StepFunctions::StateMachine":
            continue
        if "Condition" in resource and not resolver.condition(resource["Condition"]):
            continue
        properties = resource["Properties"]
        given = properties.get("DefinitionSubstitutions", {})
        substitutions = {key: resolver.text(value) for key, value in given.items() if resolver.value(value) is not None}
        name = properties.get("StateMachineName")
        name = resolver.value(name) if name is not None else None
        kind = properties.get("StateMachineType")
        kind = resolver.value(kind) if kind is not None else None
        machines[logical] = {
            "Name": name,
            "Type": kind or "STANDARD",
            "Substitutions": substitutions,
            "Definition": definition(properties, resolver, substitutions, folder),
        }
    return machines


PATTERNS = {
    "AWS::DynamoDB::Table": "{stack}-{id}-[A-Z0-9]{{12,13}}",
    "AWS::Serverless::SimpleTable": "{stack}-{id}-[A-Z0-9]{{12,13}}",
    "AWS::S3::Bucket": "{lstack}-{lid}-[a-z0-9]{{12}}",
    "AWS::SQS::Queue": r"{stack}-{id}-[A-Za-z0-9]{{12}}(\.fifo)?",
    "AWS::SNS::Topic": r"{stack}-{id}-[A-Za-z0-9]{{12}}(\.fifo)?",
    "AWS::Lambda::Function": "{stack}-{id}-[A-Za-z0-9]{{12}}",
    "AWS::Serverless::Function": "{stack}-{id}-[A-Za-z0-9]{{12}}",
    "AWS::StepFunctions::StateMachine": "{id}-[A-Za-z0-9]{{12}}",
    "AWS::Serverless::StateMachine": "{id}-[A-Za-z0-9]{{12}}",
}
OWN = {"AWS::Serverless::Function": "FunctionName", "AWS::Lambda::Function": "FunctionName", "AWS::SQS::Queue": "QueueName",
       "AWS::DynamoDB::Table": "TableName", "AWS::Serverless::SimpleTable": "TableName", "AWS::SNS::Topic": "TopicName",
       "AWS::S3::Bucket": "BucketName", "AWS::Serverless::StateMachine": "Name",
       "AWS::StepFunctions::StateMachine": "StateMachineName"}


def made_names(template, names):
    """Names that nobody gave look as CloudFormation's do."""
    wrong = []
    for logical, resource in template["Resources"].items():
        pattern = PATTERNS.get(resource["Type"])
        if logical not in names or not pattern or OWN[resource["Type"]] in (resource.get("Properties") or {}):
            continue
        pattern = pattern.format(stack=STACK, id=logical, lstack=STACK.lower(), lid=logical.lower())
        if not re.fullmatch(pattern, names[logical]):
            wrong.append(f"{logical} is called {names[logical]}, which is not like {pattern}")
    return wrong


def judge(asl, path):
    template = yaml.load(path.read_text(), Loader)
    parameters = template.get("Metadata", {}).get("Judge", {}).get("Parameters", {})
    command = [asl, "explain", str(path), "--json", "--stack-name", STACK]
    for name, value in parameters.items():
        command += ["--parameter", f"{name}={value}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        return [f"asl says: {ran.stderr}{ran.stdout}"]
    answer = json.loads(ran.stdout)
    names = {one["LogicalId"]: one["Name"] for one in answer["Resources"]}
    ours = {one["LogicalId"]: one for one in answer["StateMachines"]}
    with contextlib.redirect_stdout(io.StringIO()):  # The translator talks about its metrics.
        theirs = wanted(template, parameters, names, path.parent)
    wrong = made_names(template, names)
    if set(ours) != set(theirs):
        wrong.append(f"state machines: ours {sorted(ours)}, theirs {sorted(theirs)}")
    for logical in set(ours) & set(theirs):
        mine, other = ours[logical], theirs[logical]
        text = mine["Definition"]
        mine["Definition"] = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader)
        if other["Name"] is None:
            other["Name"] = mine["Name"]
        for key in ("Name", "Type", "Substitutions", "Definition"):
            if mine[key] != other[key]:
                wrong.append(f"{logical}.{key}:\n    ours   {json.dumps(mine[key], sort_keys=True)}\n"
                             f"    theirs {json.dumps(other[key], sort_keys=True)}")
    if not theirs:
        wrong.append("there is no state machine to compare")
    return wrong


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--asl", required=True)
    arguments.add_argument("templates", nargs="*", type=pathlib.Path)
    given = arguments.parse_args()
    own = sorted(path for path in FOLDER.iterdir() if path.suffix in (".yaml", ".json"))
    paths = given.templates or [*own, FOLDER.parents[2] / "definitions/lab/template.yaml"]
    failed = 0
    for path in paths:
        try:
            wrong = judge(given.asl, path)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the other templates are judged too
            wrong = [f"{type(problem).__name__}: {problem}"]
        failed += bool(wrong)
        for one in wrong:
            print(f"{path.name}: {one}")
    print(f"{len(paths)} templates, {len(paths) - failed} agree")
    return 1 if failed or len(paths) < (0 if given.templates else 40) else 0


if __name__ == "__main__":
    sys.exit(main())
