//! What a project file can say, and what is said about mistakes in it.

use super::*;
use asl_syntax::{Options, load};
use asl_task::mock::Mocks;

fn project_with(text: &str) -> (tempfile::TempDir, Result<Project, ProjectError>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    std::fs::write(&file, text).unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(folder.path().join("f.py"), "def lambda_handler(event, context):\n    return event\n").unwrap();
    let project = Project::load(&file);
    (folder, project)
}

/// What is told, the folder left out.
fn told(folder: &tempfile::TempDir, error: &ProjectError) -> String {
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_project_file_says_everything_in_the_words_of_aws() {
    let (folder, project) = project_with(
        r#"
        region = "eu-west-1"
        account = "123456789012"

        [substitutions]
        Table = "Fares"
        Attempts = 3
        Rate = 1.5
        On = true
        Topic = { Arn = "Done" }
        Function = { Arn = "Charge" }
        Queue = { Arn = "Work.fifo" }
        TableArn = { Arn = "Fares" }

        [functions.Charge]
        Runtime = "python3.13"
        File = "f.py"
        Handler = "lambda_handler"
        Timeout = 7
        MemorySize = 256
        Concurrency = 2
        Environment = { STAGE = "here" }

        [functions.Elsewhere]
        Url = "http://127.0.0.1:9000/2015-03-31/functions/function/invocations"

        [tables.Fares]
        HashKey = "fareId"
        RangeKey = { AttributeName = "at", AttributeType = "N" }

        [[topics.Done.Subscriptions]]
        Protocol = "lambda"
        Endpoint = "Charge"

        [queues."Work.fifo"]
        FifoQueue = true
        VisibilityTimeout = 60

        [buckets.results]
        Path = "out"
        "#,
    );
    let project = project.unwrap();
    let bound = |key: &str| project.substitutions[key].as_str();
    assert_eq!((bound("Table"), bound("Attempts"), bound("Rate"), bound("On")), ("Fares", "3", "1.5", "true"));
    assert_eq!(bound("Topic"), "arn:aws:sns:eu-west-1:123456789012:Done");
    assert_eq!(bound("Function"), "arn:aws:lambda:eu-west-1:123456789012:function:Charge");
    assert_eq!(bound("Queue"), "arn:aws:sqs:eu-west-1:123456789012:Work.fifo");
    assert_eq!(bound("TableArn"), "arn:aws:dynamodb:eu-west-1:123456789012:table/Fares");
    let charge = &project.functions[0];
    let file = folder.path().join("f.py");
    assert_eq!(charge.code, Code::Python { file, handler: "lambda_handler".into() });
    assert_eq!((charge.timeout_ms, charge.memory_mb, charge.concurrency), (7_000, 256, 2));
    assert_eq!(charge.environment["STAGE"], "here");
    assert!(matches!(project.functions[1].code, Code::Url { .. }));
    assert_eq!(project.services.queues["Work.fifo"].visibility_timeout, 60);
    assert!(project.functions(Arc::new(|_| {})).unwrap().contains("Charge"));
    assert!(project.services().is_ok());
    assert_eq!(project.buckets["results"], folder.path().join("out"));
    assert!(project.buckets().contains("results"));
}

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let table: &[(&str, &[&str])] = &[
        ("[tabels.X]\n", &["asl.toml:1:2: unknown key `tabels`", "help: did you mean `tables`?"]),
        ("[tables.Xxx]\nHashKy = 'a'\n", &["asl.toml:2:1: unknown key `HashKy`", "did you mean `HashKey`?"]),
        ("[tables.Xxx]\n", &["asl.toml:1:", "the key `HashKey` is missing", "add `HashKey = ...`"]),
        ("[tables.Xxx]\nHashKey = 3\n", &["asl.toml:2:11: ", " 2 | HashKey = 3\n   |           ^"]),
        ("[queues.Q]\nVisibilityTimeout = '30'\n", &["asl.toml:2:21: ", "a whole number"]),
        ("[queues.Q]\nVisibilityTimeout = -1\n", &["asl.toml:2:21: "]),
        ("[queues.Q]\nVisibilityTimeout = 99999\n", &["asl.toml:2:21: 99999 is out of range", "use 0 to 43200"]),
        ("[queues.'Q.fifo']\n", &["asl.toml:1:9: ", "set FifoQueue = true"]),
        (
            "[queues.Q]\nRedrivePolicy = { deadLetterTargetArn = 'D', maxReceiveCount = 1 }\n",
            &["asl.toml:2:41: there is no queue D", "[queues.D]"],
        ),
        (
            "[[topics.T.Subscriptions]]\nProtocol = 'sqs'\nEndpoint = 'Nope'\n",
            &["asl.toml:3:12: there is no queue Nope", "declare it under [queues.Nope]"],
        ),
        ("[[topics.T.Subscriptions]]\nProtocol = 'sms'\nEndpoint = 'Nope'\n", &["unknown value `sms`", "sqs"]),
        (
            "[functions.F]\nRuntime = 'python'\n",
            &["asl.toml:1:12: function `F` has no File, no Command and no Url", "add `File"],
        ),
        ("[functions.F]\nFile = 'f.py'\n", &["asl.toml:1:12: function `F` has no Runtime", "python"]),
        ("[functions.F]\nRuntime = 'pyton'\nFile = 'f.py'\n", &["asl.toml:2:11: unknown value `pyton`", "`python`?"]),
        ("[functions.F]\nUrl = 'http://x'\nFile = 'f.py'\n", &["asl.toml:2:7: ", "not File and Url"]),
        (
            "[functions.F]\nCommand = ['x']\nFile = 'f.py'\n",
            &["asl.toml:2:1: ", "not File and Command", "leave one out"],
        ),
        ("[functions.F]\nCommand = ['x']\nRuntime = 'node'\n", &["asl.toml:3:11: ", "with a Command has no Runtime"]),
        ("[functions.F]\nCommand = 'x y'\n", &["asl.toml:2:11: ", "a sequence"]),
        (
            "[functions.F]\nCommand = ['x']\nEnvironmentFile = 'none.env'\n",
            &["asl.toml:3:19: none.env cannot be read", "each line is NAME=value"],
        ),
        ("[functions.F]\nUrl = 'http://x'\nHandler = 'h'\n", &["asl.toml:3:11: ", "leave it out"]),
        ("[functions.F]\nRuntime = 'python'\nFile = 'f.py'\nTimeout = 901\n", &["asl.toml:4:11: 901 is out of range"]),
        ("[functions.F]\nRuntime = 'python'\nFile = 'f.py'\ntimeout = 9\n", &["unknown key `timeout`", "`Timeout`?"]),
        ("[substitutions]\nA = { Arn = 'B' }\n", &["asl.toml:2:13: nothing named `B` is declared", "name a function"]),
        ("[substitutions]\nA = ['B']\n", &["asl.toml:2:5: ", "a text, a number"]),
        ("[buckets.B]\nPath = 'none'\n", &["asl.toml:2:8: bucket `B`: none does not exist", "help: make the folder"]),
        ("[buckets.B]\nPath = 'f.py'\n", &["asl.toml:2:8: bucket `B`: f.py is no folder"]),
        ("[buckets.B]\n", &["asl.toml:1:", "the key `Path` is missing"]),
        (
            "[backends]\nrekognition = 'aws'\n",
            &["asl.toml:2:", "`rekognition` is no service", "\"aws-sdk:rekognition\""],
        ),
        ("[backends]\n'aws-sdk:s4' = 'aws'\n", &["asl.toml:2:", "`aws-sdk:s4` is no service"]),
        ("[backends]\nglue = 'embedded'\n", &["asl.toml:2:", "`glue` is not embedded", "use \"aws\""]),
        ("[backends]\nglue = 'awz'\n", &["asl.toml:2:8: unknown value `awz`", "did you mean `aws`?"]),
        ("[aws]\nRegion = 'a/b'\n", &["asl.toml:2:10: this is not the name of a region"]),
        ("[aws]\nEndpointUrl = 'localhost'\n", &["asl.toml:2:15: this is not an address", "http://"]),
        ("[aws.endpoints]\ns4 = 'http://x'\n", &["asl.toml:2:6: `s4` is no service"]),
        ("[aws]\nTimeout = 0\n", &["asl.toml:2:11: 0 is out of range", "1 to 900"]),
        ("[aws]\nProfil = 'x'\n", &["unknown key `Profil`", "`Profile`?"]),
        ("account = '12'\n", &["asl.toml:1:11: an account has twelve digits"]),
        ("[queues.Q\n", &["asl.toml:1:", "  |"]),
    ];
    for (text, wanted) in table {
        let (folder, project) = project_with(text);
        let error = project.expect_err(text);
        let told = told(&folder, &error);
        for part in *wanted {
            assert!(told.contains(part), "{text}\n--- should say: {part}\n--- says: {told}");
        }
    }
}

#[test]
fn functions_whose_code_is_not_there_are_all_told() {
    let (folder, project) = project_with(
        "[functions.A]\nRuntime = 'python'\nFile = 'none.py'\n[functions.B]\nRuntime = 'provided'\nFile = 'none'\n\
         [functions.C]\nRuntime = 'python'\nFile = 'f.py'\nHandler = 'a.b'\n",
    );
    let error = project.unwrap().functions(Arc::new(|_| {})).err().unwrap();
    let told = told(&folder, &error);
    for part in
        ["asl.toml:3:8: function `A`: none.py", "asl.toml:6:8: function `B`: none", "asl.toml:10:11: function `C`"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_definition_is_checked_against_its_project() {
    let (folder, project) = project_with("[substitutions]\nTabel = 'Fares'\n[tables.Orders]\nHashKey = 'id'\n");
    let project = project.unwrap();
    let text = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:getItem", "Next": "B",
              "Parameters": {"TableName": "${Table}", "Key": {"id": {"S": "1"}}}},
        "B": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "C",
              "Parameters": {"FunctionName": "Charge", "Payload.$": "$"}},
        "C": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Next": "D"},
        "D": {"Type": "Map", "End": true,
              "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                             "Parameters": {"Bucket": "in", "Key": "k"}},
              "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                                "StartAt": "E", "States": {"E": {"Type": "Pass", "End": true}}}}}}"#;
    let unbound = told(&folder, &project.source("d.json", text).unwrap_err());
    assert!(unbound.starts_with("d.json:3:44: no value is given for `${Table}`"), "{unbound}");
    assert!(
        unbound.contains("did you mean `${Tabel}`? or add `Table = \"...\"` under [substitutions] in "),
        "{unbound}"
    );

    let source = project.source("d.json", &text.replace("${Table}", "${Tabel}")).unwrap();
    let definition = load(&source, &Options::default()).definition.unwrap();
    let functions = project.functions(Arc::new(|_| {})).unwrap();
    let told = told(&folder, &project.check(&source, &definition, &functions, &Mocks::default()).unwrap_err());
    for part in [
        "d.json:3:43: state `A` cannot run here: ",
        "help: add [tables.Fares] to asl.toml",
        "d.json:5:46: state `B` cannot run here: ",
        "help: add [functions.Charge] to asl.toml",
        "d.json:6:43: state `C` cannot run here: ",
        "d.json:9:55: state `D` cannot run here: the bucket 'in' is not declared",
        "help: add [buckets.in] to asl.toml",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_project_is_found_upwards_and_may_be_absent() {
    let (folder, _) = project_with("");
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    let definition = deep.join("x.asl.json");
    assert_eq!(Project::find(&definition), Some(folder.path().join(FILE_NAME)));
    assert_eq!(Project::of_definition(&definition, None).unwrap().root, folder.path());

    let elsewhere = tempfile::tempdir().unwrap();
    let project = Project::of_definition(&elsewhere.path().join("x.asl.json"), None).unwrap();
    assert_eq!((project.file.is_none(), project.root.as_path()), (true, elsewhere.path()));
    let missing = Project::load(&elsewhere.path().join("none.toml")).unwrap_err().to_string();
    assert!(missing.contains("none.toml: the project file cannot be read"), "{missing}");
}

/// On a stack half as large as the threads of other programs have.
#[test]
fn a_project_file_nested_in_any_way_is_refused() {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(30_000), close.repeat(30_000));
    let texts = [
        format!("x = {}", nested("[", "]")),
        format!("x = {}1{}", "{a = ".repeat(30_000), "}".repeat(30_000)),
        format!("{} = 1", vec!["a"; 30_000].join(".")),
        format!("[{}]\n", vec!["functions"; 30_000].join(".")),
        format!("[[{}]]\n", vec!["functions"; 30_000].join(".")),
        format!("x = {{{} = 1}}", vec!["a"; 30_000].join(".")),
    ];
    let work = move || texts.iter().for_each(|text| assert!(project_with(text).1.is_err()));
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn the_example_of_the_reference_loads() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/project-file.md");
    let page = std::fs::read_to_string(page).unwrap();
    let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (_folder, project) = project_with(example);
    let project = project.unwrap();
    assert_eq!(project.substitutions["ChargeFunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:Charge");
    assert_eq!(project.functions.len(), 2);
}

/// A template of `tests/sam/templates`, as a project alone.
fn of_template(name: &str) -> Project {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sam/templates");
    let stack = StackOptions { name: Some("s".to_owned()), ..StackOptions::default() };
    Project::of_template(&folder.join(name), None, &stack).unwrap()
}

#[test]
fn the_properties_of_a_templates_functions_are_obeyed() {
    let project = of_template("globals.yaml");
    let shared = &project.functions[0];
    assert_eq!((shared.name.as_str(), shared.timeout_ms, shared.memory_mb), ("s-fn", 20_000, 256));
    let Code::Python { file, handler } = &shared.code else { panic!("{:?}", shared.code) };
    assert!(file.ends_with("src") && handler == "app.handler", "{file:?} {handler}");
    let environment: Vec<_> = shared.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(environment, [("OWN", "us-east-1"), ("SHARED", "yes")]);

    let project = of_template("layers.yaml");
    let layered = &project.functions[0];
    assert_eq!((layered.timeout_ms, layered.memory_mb), (30_000, 512));
    assert_eq!((layered.environment["TABLE"].as_str(), layered.environment["MODE"].as_str()), ("simple", "fast"));
    assert!(layered.environment["PYTHONPATH"].contains("layer/python"), "{:?}", layered.environment);
    assert_eq!(project.services.tables["simple"].hash_key.kind.name(), "N");

    let project = of_template("inline_code.yaml");
    let kinds: Vec<bool> = project.functions.iter().map(|f| matches!(f.code, Code::Node { .. })).collect();
    assert_eq!(kinds, [true, false]);
}

#[test]
fn the_properties_of_a_templates_topics_and_queues_are_obeyed() {
    use asl_task::embedded::FilterPolicyScope;
    let project = of_template("topics_and_queues.yaml");
    let queue = &project.services.queues[project.physical("Queue")];
    assert_eq!((queue.visibility_timeout, queue.delay_seconds), (60, 5));
    assert_eq!((queue.message_retention_period, queue.maximum_message_size), (3_600, 2_048));
    let redrive = queue.redrive_policy.as_ref().unwrap();
    assert!(redrive.dead_letter_target_arn.ends_with(project.physical("Dead")) && redrive.max_receive_count == 3);
    let fifo = project.physical("Fifo");
    assert!(fifo.ends_with(".fifo"), "{fifo}");
    assert!(project.services.queues[fifo].fifo_queue && project.services.queues[fifo].content_based_deduplication);
    assert!(project.services.topics["ordered.fifo"].fifo_topic);
    let topic = &project.services.topics[project.physical("Topic")];
    let [first, second] = topic.subscriptions.as_slice() else { panic!("{topic:?}") };
    assert!(first.endpoint.ends_with(project.physical("Queue")) && !first.raw_message_delivery);
    assert!(second.raw_message_delivery && second.redrive_policy.is_some());
    assert_eq!(second.filter_policy_scope, FilterPolicyScope::MessageBody);
    assert_eq!(second.filter_policy.as_ref().unwrap().to_string(), r#"{"kind":["a",{"prefix":"b"}]}"#);
    assert_eq!(project.notes().len(), 1, "mail is passed over: {:?}", project.notes());
    let project = of_template("definition_uri_yaml.yaml");
    let table = &project.services.tables["s-orders"];
    assert_eq!((table.hash_key.name.as_str(), table.range_key.as_ref().unwrap().kind.name()), ("id", "N"));
}

#[test]
fn what_a_template_says_of_its_services_wrongly_is_told_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    let table: &[(&str, &[&str])] = &[
        ("Q: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 99999}}", &["yaml:2:62: 99999 is out of range"]),
        ("Q: {Type: AWS::SQS::Queue, Properties: {QueueName: a b}}", &["yaml:2:3: this is not a name AWS accepts"]),
        (
            "T: {Type: AWS::SNS::Topic, Properties: {Subscription: [{Protocol: sqs, Endpoint: !GetAtt Q.Arn, \
             FilterPolicy: {a: [{nope: 1}]}}]}}\n  Q: {Type: AWS::SQS::Queue}",
            &["yaml:2:"],
        ),
    ];
    for (resources, wanted) in table {
        std::fs::write(&file, format!("Resources:\n  {resources}\n")).unwrap();
        let told = told(&folder, &Project::load(&file).unwrap_err());
        for part in *wanted {
            assert!(told.contains(part), "{resources}\n--- should say: {part}\n--- says: {told}");
        }
    }
    assert_eq!(Project::find(&folder.path().join("x.asl.json")), Some(file), "a template is found as asl.toml is");
}
