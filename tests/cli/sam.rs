//! SAM and CloudFormation templates as projects, with the real binary.

mod common;

use common::{Place, Ran};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `tests/sam/templates`, each template with its name.
fn templates() -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(root().join("tests/sam/templates")).unwrap().flatten();
    let is_template = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "json");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_template).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.into_iter().map(|path| (name(&path), path)).collect()
}

/// What is made of each template is kept as a file; `ASL_UPDATE=1` writes them anew.
#[test]
fn what_is_made_of_each_template_stays_the_same() {
    let place = Place::empty();
    let expected = root().join("tests/sam/expected");
    let update = std::env::var_os("ASL_UPDATE").is_some();
    let mut wrong = Vec::new();
    for (name, path) in templates() {
        let mut args = vec!["explain", path.to_str().unwrap(), "--json", "--stack-name", "judged"];
        if name == "parameters.yaml" {
            args.extend(["--parameter", "Given=from the command", "--parameter", "Stage=prod"]);
        }
        let ran = place.asl(&args);
        let made = format!("{:#}\n", ran.ends(0).json());
        let file = expected.join(format!("{name}.json"));
        if update {
            std::fs::write(&file, &made).unwrap();
        }
        if std::fs::read_to_string(&file).ok().as_deref() != Some(&made) {
            wrong.push(format!("{name}:\n{made}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The translator of AWS itself is the judge: `.ci/run` installs it. `ASL_SAM_TRANSLATOR` is the folder it is in.
#[test]
fn the_translator_of_aws_makes_the_same_of_each_template() {
    let Some(translator) = std::env::var_os("ASL_SAM_TRANSLATOR") else {
        let reason =
            "SKIPPED: ASL_SAM_TRANSLATOR does not name a folder with aws-sam-translator; `.ci/run` installs one";
        assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "{reason}");
        eprintln!("{reason}");
        return;
    };
    let judge = root().join("tests/sam/judge.py");
    let ran = Command::new("python3")
        .args(["-W", "ignore", judge.to_str().unwrap(), "--asl", env!("CARGO_BIN_EXE_asl")])
        .env("PYTHONPATH", translator)
        .output()
        .unwrap();
    let ran = Ran::from(ran);
    ran.ends(0);
    let count = templates().len() + 1;
    assert!(count > 40 && ran.stdout.contains(&format!("{count} templates, {count} agree")), "{}", ran.stdout);
}

/// The templates use everything that the guide says is read.
#[test]
fn the_templates_cover_every_type_property_and_function() {
    let texts: Vec<String> = templates().iter().map(|(_, path)| std::fs::read_to_string(path).unwrap()).collect();
    let lab = std::fs::read_to_string(root().join("definitions/lab/template.yaml")).unwrap();
    let all = texts.join("\n") + &lab;
    for word in [
        "AWS::Serverless::Function",
        "AWS::Serverless::StateMachine",
        "AWS::Serverless::SimpleTable",
        "AWS::Serverless::LayerVersion",
        "AWS::Lambda::Function",
        "AWS::Lambda::Version",
        "AWS::Lambda::Alias",
        "AWS::StepFunctions::StateMachine",
        "AWS::StepFunctions::Activity",
        "AWS::StepFunctions::StateMachineVersion",
        "AWS::StepFunctions::StateMachineAlias",
        "AWS::DynamoDB::Table",
        "AWS::SNS::Topic",
        "AWS::SNS::Subscription",
        "AWS::SQS::Queue",
        "AWS::S3::Bucket",
        "AWS::Events::Rule",
        "AWS::Events::EventBus",
        "AWS::Events::Connection",
        "Globals",
        "Definition:",
        "DefinitionUri",
        "DefinitionString",
        "DefinitionS3Location",
        "DefinitionSubstitutions",
        "Timeout",
        "MemorySize",
        "Runtime",
        "Environment",
        "Handler",
        "CodeUri",
        "Layers",
        "InlineCode",
        "ZipFile",
        "FilterPolicy",
        "FilterPolicyScope",
        "RawMessageDelivery",
        "RedrivePolicy",
        "FifoQueue",
        "FifoTopic",
        "VisibilityTimeout",
        "Conditions",
        "Mappings",
        "Parameters",
        "aws:asset:path",
        "!Ref",
        "!GetAtt",
        "!Sub",
        "!Join",
        "!Select",
        "!Split",
        "!FindInMap",
        "!If",
        "!Equals",
        "!And",
        "!Or",
        "!Not",
        "!Condition",
        "!Base64",
        "!ImportValue",
        "!GetAZs",
        "Fn::GetAtt",
        "Fn::Sub",
        "Fn::Join",
        "Fn::Select",
        "Fn::FindInMap",
        "Fn::If",
        "Fn::Base64",
        "Fn::ImportValue",
        "Fn::ToJsonString",
        "Fn::Length",
        "AWS::Region",
        "AWS::AccountId",
        "AWS::StackName",
        "AWS::StackId",
        "AWS::Partition",
        "AWS::URLSuffix",
        "AWS::NoValue",
    ] {
        assert!(all.contains(word), "no template has {word}");
    }
}

#[test]
fn resources_go_by_their_logical_ids_in_every_command() {
    let place = Place::empty();
    place.write("f.py", "def handler(event, context):\n    return 'called'\n");
    place.write(
        "template.yaml",
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  T: {Type: AWS::Serverless::SimpleTable}\n  \
        Q: {Type: AWS::SQS::Queue}\n  N: {Type: AWS::SNS::Topic}\n  B: {Type: AWS::S3::Bucket}\n  F:\n    \
        Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.12, Handler: f.handler, CodeUri: .}\n",
    );
    place.asl(&["table", "put", "T", r#"{"id": "1"}"#]).ends(0);
    assert!(place.asl(&["table", "get", "T", "1"]).ends(0).stdout.contains('1'));
    assert!(place.asl(&["table", "query", "T", "1"]).ends(0).stdout.contains('1'));
    place.asl(&["table", "delete", "T", "1"]).ends(0);
    assert_eq!(place.asl(&["table", "scan", "T", "--json"]).json()["Items"], json!([]));
    place.asl(&["queue", "send", "Q", "hello"]).ends(0);
    assert!(place.asl(&["queue", "peek", "Q"]).ends(0).stdout.contains("hello"));
    let received = place.asl(&["queue", "receive", "Q", "--json"]).json();
    place.asl(&["queue", "delete", "Q", received["Messages"][0]["ReceiptHandle"].as_str().unwrap()]).ends(0);
    place.asl(&["queue", "purge", "Q"]).ends(0).says("0 messages deleted");
    place.asl(&["topic", "publish", "N", "news"]).ends(0);
    assert_eq!(place.asl(&["function", "invoke", "F", "-q"]).ends(0).stdout.trim(), "\"called\"");
    place.asl(&["bucket", "put", "B", "key", "f.py"]).ends(0);
    assert!(place.asl(&["bucket", "ls", "B"]).ends(0).stdout.contains("key"));
    assert!(place.asl(&["bucket", "get", "B", "key"]).ends(0).stdout.contains("called"));
}

/// The lab: its template, its definition, its functions, its inputs.
#[test]
fn the_lab_runs_as_it_is() {
    let cases = [
        ("happy", 0, "COMPLETED", "SuccessQueue", "FailureQueue"),
        ("fail_auth", 1, "FAILED", "FailureQueue", "SuccessQueue"),
        ("fail_charge", 1, "FAILED", "FailureQueue", "SuccessQueue"),
        ("fail_credit", 1, "FAILED", "FailureQueue", "SuccessQueue"),
    ];
    for (case, code, fare, told, silent) in cases {
        let place = Place::new();
        let input = format!("fixtures/fare/{case}.json");
        let given: Value = serde_json::from_slice(&std::fs::read(place.path(&input)).unwrap()).unwrap();
        let ran = place.asl(&["run", "definitions/lab/template.yaml", "--input", &input]);
        ran.ends(code);
        assert!(!ran.stderr.contains("note: "), "nothing is passed over: {}", ran.stderr);
        let project = ["--project", "definitions/lab/template.yaml"];
        let with = |args: &[&str]| place.asl(&[args, &project[..]].concat());
        let received = |queue: &str| with(&["queue", "receive", queue, "--json"]).ends(0).json()["Messages"].clone();
        assert_eq!(received(silent), json!([]), "{case}");
        let messages = received(told);
        assert_eq!(messages.as_array().unwrap().len(), 1, "{case}");
        let body: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
        assert_eq!((&body["fareId"], &body["customerId"]), (&given["fareId"], &given["customerId"]));
        let item =
            with(&["table", "get", "FaresTable", given["customerId"].as_str().unwrap(), "wr_563", "--json"]).json();
        assert_eq!(item["Item"]["fareStatus"]["S"], fare, "{case}");
        assert_eq!(item["Item"]["fareAmount"]["S"], "$20.00");
        assert_eq!(item["Item"]["cc"]["S"], "2424 2424 2424 2424", "the whole input is registered");
        let listed = with(&["list", "--json"]).json();
        let arn = listed["executions"][0]["stateMachineArn"].as_str().unwrap().to_owned();
        let machine = arn.rsplit(':').next().unwrap().strip_prefix("FareProcessingStateMachine-");
        assert_eq!(machine.map(str::len), Some(12), "{arn}");
        with(&["replay"]).ends(0);
    }
}

#[test]
fn every_command_takes_a_template() {
    let place = Place::new();
    let template = "definitions/lab/template.yaml";
    place.asl(&["check", template]).ends(0).says("template.yaml (FareProcessingStateMachine-").says("): ok\n");
    assert!(place.asl(&["graph", template]).ends(0).stdout.contains("RefundFare"));
    place.asl(&["test", template]).ends(0).says("6 cases of 1 file: 6 passed");
    let explained = place.asl(&["explain", template, "--stack-name", "rides"]);
    assert!(explained.ends(0).stdout.contains("rides-FaresTable-"), "{}", explained.stdout);
    // What `asl start` writes down is what a worker of the template runs.
    let started = place.asl(&["start", template, "-i", "fixtures/fare/happy.json", "--name", "one"]);
    let arn = started.ends(0).stdout.trim().to_owned();
    assert!(arn.ends_with(":one"), "{arn}");
    let mut worker = place.start_until(&["worker", template], "is ready");
    let waited = place.asl(&["wait", "one", "--project", template]);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(waited.ends(0).json()["fareId"], "wr_563");
    // A definition of the template, by its own path.
    let ran = place.asl(&["run", "definitions/lab/statemachine/fare.asl.json", "-i", "fixtures/fare/happy.json"]);
    ran.ends(0).says("FareProcessingStateMachine-");
    // In the template's folder no command needs to name it.
    let mut here = place.command(&["list", "--json"]);
    let listed = Ran::from(here.current_dir(place.path("definitions/lab")).output().unwrap());
    assert_eq!(listed.ends(0).json()["executions"].as_array().unwrap().len(), 2);
}

const TWO: &str = "Transform: AWS::Serverless-2016-10-31\nResources:\n  One:\n    Type: AWS::Serverless::StateMachine\n    \
    Properties:\n      Name: first\n      Definition: {StartAt: A, States: {A: {Type: Pass, Result: 1, End: true}}}\n  \
    Two:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      Definition:\n        StartAt: A\n        States:\n          \
    A: {Type: Pass, Next: B}\n";

#[test]
fn of_several_state_machines_one_is_named() {
    let place = Place::empty();
    place.write("template.yaml", TWO);
    place.asl(&["run", "template.yaml"]).ends(2).says("has 2 state machines").says("--state-machine: One, Two");
    place.asl(&["run", "template.yaml", "--state-machine", "On"]).ends(2).says("did you mean `One`?");
    for name in ["One", "first"] {
        assert_eq!(place.asl(&["run", "template.yaml", "--state-machine", name, "-q"]).ends(0).stdout.trim(), "1");
    }
    // A mistake in a definition that stands in the template is told at its place there.
    let wrong = place.asl(&["run", "template.yaml", "--state-machine", "Two"]);
    wrong.ends(2).says("template.yaml:14:").says("Missing 'Next' target: B");
    place.asl(&["check", "template.yaml"]).ends(2).says("(first): ok").says("(Two-");
}

#[test]
fn a_mock_configuration_names_a_state_machine_by_either_name() {
    let place = Place::empty();
    let state = "{Type: Task, Resource: 'arn:aws:states:::glue:startJobRun.sync', Parameters: {JobName: j}, End: true}";
    let template = format!(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Flow:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      \
         Name: the-flow\n      Definition: {{StartAt: A, States: {{A: {state}}}}}\n"
    );
    place.write("template.yaml", &template);
    for name in ["Flow", "the-flow"] {
        let mocks = r#"{"StateMachines": {"NAME": {"TestCases": {"Good": {"A": "Done"}}}},
            "MockedResponses": {"Done": {"0": {"Return": {"run": 1}}}}}"#;
        place.write("mocks.json", &mocks.replace("NAME", name));
        let ran = place.asl(&["run", "template.yaml", "--mock", "mocks.json", "-q"]);
        assert_eq!(ran.ends(0).json()["run"], 1, "{name}");
    }
    place.asl(&["run", "template.yaml"]).ends(2).says("glue:startJobRun has no local backend yet");
}

#[test]
fn functions_have_their_layers_environment_and_inline_code() {
    let place = Place::empty();
    place.write("layer/python/shared.py", "NAME = 'from the layer'\n");
    place.write("src/requirements.txt", "# none\n");
    place.write("template.yaml", "Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Function:\n    Runtime: python3.12\n    \
        Environment: {Variables: {SHARED: all}}\nResources:\n  Layer:\n    Type: AWS::Serverless::LayerVersion\n    \
        Properties: {ContentUri: layer/}\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: src/\n      \
        Handler: pkg/app.handler\n      MemorySize: 512\n      Layers: [!Ref Layer]\n      \
        Environment: {Variables: {TABLE: !Ref Table}}\n  Inline:\n    Type: AWS::Lambda::Function\n    Properties:\n      \
        Runtime: python3.12\n      Handler: index.handler\n      Role: r\n      Code:\n        ZipFile: |\n          \
        def handler(event, context):\n              return dict(event, inline=True)\n  Table: {Type: AWS::Serverless::SimpleTable}\n  \
        Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: results}}\n  Machine:\n    Type: AWS::Serverless::StateMachine\n    \
        Properties:\n      Definition:\n        StartAt: A\n        States:\n          \
        A: {Type: Task, Resource: !GetAtt Fn.Arn, Next: B}\n          B: {Type: Task, Resource: !GetAtt Inline.Arn, Next: C}\n          \
        C:\n            Type: Map\n            ItemsPath: $.list\n            ResultPath: $.written\n            \
        ItemProcessor: {ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}, StartAt: P, States: {P: {Type: Pass, End: true}}}\n            \
        ResultWriter: {Resource: 'arn:aws:states:::s3:putObject', Parameters: {Bucket: !Ref Bucket, Prefix: out}}\n            \
        End: true\n");
    place.write(
        "src/pkg/app.py",
        "import os, shared\ndef handler(event, context):\n    \
        return {'layer': shared.NAME, 'table': os.environ['TABLE'], 'shared': os.environ['SHARED'], \
        'memory': str(context.memory_limit_in_mb), 'list': [1, 2]}\n",
    );
    let output = place.asl(&["run", "template.yaml", "--stack-name", "s"]).ends(0).json();
    assert_eq!((&output["layer"], &output["shared"]), (&json!("from the layer"), &json!("all")));
    assert_eq!((&output["memory"], &output["inline"]), (&json!("512"), &json!(true)));
    assert!(output["table"].as_str().unwrap().starts_with("s-Table-"), "{output}");
    assert_eq!(output["written"]["ResultWriterDetails"]["Bucket"], "results");
    assert!(place.path(".asl/buckets/results/out").is_dir(), "a bucket is a folder under .asl");

    place.write("src/requirements.txt", "requests==2.32.3\n");
    let told = "note: template.yaml:13:16: function `Fn` has packages in src/requirements.txt that are not installed; \
                install them with `python3 -m pip install -r src/requirements.txt -t .asl/packages/Fn`\n";
    place.asl(&["run", "template.yaml"]).ends(0).says(told);
    // Once the folder is there, its packages are on the path.
    place.write(".asl/packages/Fn/shared2.py", "");
    place.write("src/pkg/app.py", "import shared2\ndef handler(event, context):\n    return {'list': []}\n");
    let ran = place.asl(&["run", "template.yaml"]);
    assert!(!ran.ends(0).stderr.contains("requirements"), "{}", ran.stderr);
}

#[test]
fn what_has_no_backend_is_passed_over_until_it_is_needed() {
    let place = Place::empty();
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Cluster: {Type: AWS::ECS::Cluster}\n  \
        Vpc: {Type: AWS::EC2::VPC}\n  Java:\n    Type: AWS::Serverless::Function\n    \
        Properties: {Runtime: java21, Handler: a.B, CodeUri: x/}\n  Machine:\n    Type: AWS::Serverless::StateMachine\n    \
        Properties:\n      Definition:\n        StartAt: A\n        States:\n          A: STATE\n";
    place.write("template.yaml", &template.replace("STATE", "{Type: Succeed}"));
    let ran = place.asl(&["run", "template.yaml"]);
    ran.ends(0).says(
        "note: template.yaml: passed over, with no backend here: Cluster (AWS::ECS::Cluster), Vpc (AWS::EC2::VPC)\n",
    );
    assert_eq!(ran.stderr.matches("note: ").count(), 1, "{}", ran.stderr);
    assert!(!place.asl(&["run", "template.yaml", "-q"]).ends(0).stderr.contains("note"));

    let state = "{Type: Task, Resource: 'arn:aws:states:::ecs:runTask.sync', Parameters: {Cluster: !Ref Cluster, TaskDefinition: t}, End: true}";
    place.write("template.yaml", &template.replace("STATE", state));
    place.asl(&["run", "template.yaml"]).ends(2).says_all(&[
        "resource `Cluster` (AWS::ECS::Cluster) has no backend here; state `A`",
        "template.yaml:3:3",
        "mock the states",
    ]);
    place.write(
        "template.test.yaml",
        "definition: template.yaml\ncases:\n  mocked:\n    mocks: {A: {return: {}}}\n    expect: {status: SUCCEEDED}\n",
    );
    place.asl(&["test"]).ends(0).says("1 passed");

    let state =
        "{Type: Task, Resource: 'arn:aws:states:::lambda:invoke', Parameters: {FunctionName: !Ref Java}, End: true}";
    place.write("template.yaml", &template.replace("STATE", state));
    place
        .asl(&["run", "template.yaml"])
        .ends(2)
        .says_all(&["the runtime java21 has no backend here; state `A`", "template.yaml:7:27"]);
    place.asl(&["check", "template.yaml"]).ends(2);
}

#[test]
fn a_project_file_adds_to_a_template_and_overrides_it() {
    let place = Place::empty();
    place.write(
        "infra/template.yaml",
        "Transform: AWS::Serverless-2016-10-31\nParameters:\n  Stage: {Type: String}\nResources:\n  \
        Java:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: java21, Handler: a.B, CodeUri: x/}\n  \
        Machine:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      \
        DefinitionUri: flow.asl.json\n      DefinitionSubstitutions: {Fn: !GetAtt Java.Arn, Stage: !Ref Stage, \
        Shared: !ImportValue Shared, Word: theirs}\n",
    );
    place.write("infra/flow.asl.json", r#"{"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": true,
              "Parameters": {"FunctionName": "${Fn}", "Payload": ["${Stage}", "${Shared}", "${Word}", "${Unbound}"]}}}}"#);
    place.write("f.py", "def lambda_handler(event, context):\n    return [event, context.function_name]\n");
    place.write("asl.toml", "[template]\nFile = 'infra/template.yaml'\nStackName = 'mine'\nParameters = { Stage = 'dev' }\n\
        Imports = { Shared = 'there' }\n[substitutions]\nWord = 'ours'\n[functions.Java]\nRuntime = 'python'\nFile = 'f.py'\n");
    for args in [
        ["run", "infra/template.yaml", "--project", "asl.toml"].as_slice(),
        &["run", "infra/flow.asl.json", "--project", "asl.toml"],
    ] {
        let output = place.asl(&[args, &["-q"]].concat()).ends(0).json();
        assert_eq!(output[0], json!(["dev", "there", "ours", "${Unbound}"]), "{output}");
        assert!(output[1].as_str().unwrap().starts_with("mine-Java-"), "{output}");
    }
    assert!(place.path(".asl/asl.db").exists(), "the database is beside the project file");
    let ran = place.asl(&["run", "infra/template.yaml", "--project", "asl.toml", "--parameter", "Stage=prod", "-q"]);
    assert_eq!(ran.ends(0).json()[0][0], "prod");
    place
        .asl(&["run", "infra/template.yaml", "--project", "asl.toml", "--parameter", "Stag=x"])
        .ends(2)
        .says("did you mean `Stage`?");
    place.asl(&["check", "asl.toml"]).ends(0).says("asl.toml: ok");
    place
        .asl(&["run", "infra/template.yaml"])
        .ends(2)
        .says("parameter `Stage` has no value")
        .says("--parameter Stage=VALUE");
}

/// What a template says is EXPRESS runs as that; `--express` takes any definition for one.
#[test]
fn express_state_machines_run_by_their_own_rules() {
    let place = Place::empty();
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 400, "End": true}}}"#;
    let token = r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": "Q", "MessageBody": "x"}}}}"#;
    let template = format!(
        r#"{{"Resources": {{"Fast": {{"Type": "AWS::Serverless::StateMachine", "Properties": {{"Type": "EXPRESS", "Definition": {wait}}}}}}}}}"#
    );
    place.write("template.json", &template);
    place.write("wait.asl.json", wait);
    place.write("token.asl.json", token);
    for args in [&["run", "template.json"][..], &["run", "wait.asl.json", "--express"]] {
        // An Express execution has five minutes.
        let ran = place.asl(&[args, &["--skip-time"]].concat());
        ran.ends(1).says("timed out in 5 min 0 s").says("Express: AWS bills 300000 ms at 64 MB");
        let described = place.asl(&["describe", "--json"]).ends(0).json();
        assert!(described["executionArn"].as_str().unwrap().contains(":express:"), "{described}");
    }
    place.asl(&["run", "wait.asl.json", "--skip-time"]).ends(0);
    place.asl(&["run", "token.asl.json", "--express"]).ends(2).says("not-in-express");
    let arn = place.asl(&["start", "template.json"]).ends(0).stdout.clone();
    assert!(arn.contains(":express:"), "{arn}");
}
