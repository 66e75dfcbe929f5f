//! Mistakes in templates, and the bounds on reading them.

use super::*;
use std::fmt::Write;

fn settings() -> Settings {
    Settings {
        identity: Identity::new("eu-west-1", "123456789012"),
        stack_name: "s".to_owned(),
        parameters: BTreeMap::new(),
        imports: BTreeMap::new(),
    }
}

/// Everything that is said about a template: what keeps it from being read, or what is wrong with its resources.
fn said(text: &str) -> String {
    match read("t.yaml", text, &settings()) {
        Err(error) => error.to_string(),
        Ok(model) => {
            let unread = model.machines.iter().filter_map(|machine| match &machine.definition {
                Definition::Unread(problem) => Some(problem.to_string()),
                _ => None,
            });
            let absent = model.absent.iter().map(|absent| absent.problem.to_string());
            unread.chain(absent).collect::<Vec<_>>().join("\n")
        }
    }
}

/// A template with one state machine whose substitution `V` has this value; it stands from line 6, column 15.
fn valued(value: &str) -> String {
    format!(
        "Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      DefinitionSubstitutions:\n        \
         V: {value}\n      Definition: {{StartAt: A, States: {{A: {{Type: Succeed}}}}}}\n  Q: {{Type: AWS::SQS::Queue}}\n\
         Parameters:\n  P: {{Type: String}}\n  Few: {{Type: String, Default: x, AllowedValues: [a, b]}}\n  Ssm: {{Type: \
         'AWS::SSM::Parameter::Value<String>', Default: /a}}\nMappings:\n  Map: {{top: {{second: 1}}}}\nConditions:\n  \
         Yes1: !Equals [a, a]\n  Round: !Not [!Condition Round]\n"
    )
}

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let table: &[(&str, &[&str])] = &[
        ("!Ref Qq", &["t.yaml:6:", "there is no resource or parameter `Qq`", "did you mean `Q`?"]),
        ("!Ref AWS::Regio", &["there is no pseudo parameter AWS::Regio"]),
        ("!Ref P", &["parameter `P` has no value", "--parameter P=VALUE"]),
        ("!Ref Few", &["t.yaml:11:", "`x` is not allowed for the parameter `Few`", "use one of a, b"]),
        ("!Ref Ssm", &["parameter `Ssm` is read from SSM"]),
        ("!Ref [a]", &["Ref takes a name"]),
        ("!GetAtt Q", &["Fn::GetAtt takes a resource and an attribute", "write `Name.Arn`"]),
        ("!GetAtt Q.Ann", &["`Q` (AWS::SQS::Queue) has no attribute `Ann`", "did you mean `Arn`?"]),
        ("!GetAtt Nope.Arn", &["there is no resource or parameter `Nope`"]),
        ("!Sub '${Nope}'", &["t.yaml:6:", "there is no resource or parameter `Nope`"]),
        ("!Sub [a, b, c]", &["Fn::Sub takes a text, or a text and its values"]),
        ("!Join [a]", &["Fn::Join takes a list of 2 arguments, not 1"]),
        ("!Join [a, b]", &["Fn::Join joins a list"]),
        ("!Join [a, [{b: c}]]", &["Fn::Join joins texts, not"]),
        ("!Select [3, [a]]", &["there is no item 3 among 1", "count from 0"]),
        ("!Split ['', a]", &["Fn::Split needs a delimiter"]),
        ("!Split [',', a]", &["a text is needed, not"]),
        ("!FindInMap [Map, top, secnd]", &["Mappings.Map.top has no `secnd`", "did you mean `second`?"]),
        ("!If [Nope, a, b]", &["there is no condition `Nope`"]),
        ("!If [Round, a, b]", &["the condition `Round` refers to itself"]),
        ("!Equals [a, a]", &["Fn::Equals stands in Conditions only"]),
        ("!ImportValue There", &["exports as `There`", "Imports = { \"There\""]),
        ("!Cidr [x, 1, 2]", &["Fn::Cidr takes a block"]),
        ("!Transform {Name: AWS::Include}", &["the function Fn::Transform is not supported"]),
        ("{a: b}", &["a text is needed, not"]),
        ("!Nope x", &["t.yaml:6:", "the tag !Nope is not supported"]),
        ("[", &["t.yaml:"]),
    ];
    for (value, wanted) in table {
        let told = said(&valued(value));
        for part in *wanted {
            assert!(told.contains(part), "{value}\n--- should say: {part}\n--- says: {told}");
        }
    }
    assert_eq!(said(&valued("fine")), "");
}

#[test]
fn wrong_resources_are_told_at_their_place() {
    let table: &[(&str, &[&str])] = &[
        ("- a\n", &["this is no template: it has no Resources"]),
        (
            "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::Queues:\n    - Name\n    - [A, B]\n    - {'Queue${Name}': {Type: AWS::SQS::Queue}}\n",
            &[
                "t.yaml:3:3",
                "Fn::ForEach::Queues: the loops of AWS::LanguageExtensions are not supported",
                "write out what it makes",
            ],
        ),
        (
            "Resources: {A: {Type: AWS::SQS::Queue, Properties: {Tags: [{'Fn::ForEach::Tag': [x, [a], {}]}]}}}\n",
            &["t.yaml:1:", "Fn::ForEach::Tag: the loops"],
        ),
        ("Resources: {A: {Properties: {}}}\n", &["t.yaml:1:", "resource `A` has no Type"]),
        ("Parameters: []\nResources: {}\n", &["t.yaml:1:", "`Parameters` is an object"]),
        ("Resources: {A: {Type: AWS::DynamoDB::Table}}\n", &["resource `A` (AWS::DynamoDB::Table) has no KeySchema"]),
        (
            "Resources: {A: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: a, KeyType: HASH}]}}}\n",
            &["the key attribute `a` is not in AttributeDefinitions"],
        ),
        (
            "Resources: {A: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: soon}}}\n",
            &["t.yaml:1:", "DelaySeconds is a whole number, not `soon`"],
        ),
        ("Resources: {A: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {}}}}\n", &["maxReceiveCount"]),
        ("Resources: {A: {Type: AWS::SNS::Topic, Properties: {FifoTopic: maybe}}}\n", &["true or false, not `maybe`"]),
        ("Resources: {A: {Type: AWS::Serverless::Function, Properties: {CodeUri: x}}}\n", &["has no Runtime"]),
        ("Resources: {A: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.12}}}\n", &["has no Code"]),
        ("Resources: {A: {Type: AWS::Serverless::StateMachine}}\n", &["has no Definition or DefinitionUri"]),
        (
            "Resources: {A: {Type: AWS::Serverless::StateMachine, Properties: {Definition: {}, Type: FAST}}}\n",
            &["Type is STANDARD or EXPRESS, not `FAST`"],
        ),
        (
            "Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref B}}, \
              B: {Type: AWS::S3::Bucket, Properties: {BucketName: !GetAtt A.QueueName}}}\n",
            &["refers to itself", "break the circle"],
        ),
        (
            "Conditions: {Never: !Equals [a, b]}\nResources: {A: {Type: AWS::SQS::Queue, Condition: Never}, \
              M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: x, DefinitionSubstitutions: {Q: !Ref A}}}}\n",
            &["resource `A` is not made: its Condition does not hold"],
        ),
    ];
    for (text, wanted) in table {
        let told = said(text);
        for part in *wanted {
            assert!(told.contains(part), "{text}\n--- should say: {part}\n--- says: {told}");
        }
    }
}

#[test]
fn of_two_resources_with_one_id_the_last_counts() {
    let text = "Resources:\n  A: {Type: AWS::SQS::Queue}\n  A: {Type: AWS::S3::Bucket, Properties: {BucketName: b}}\n";
    let model = read("t.yaml", text, &settings()).unwrap();
    assert_eq!((model.queues.len(), model.buckets.as_slice()), (0, ["b".to_owned()].as_slice()));
    let note = model.notes[0].to_string();
    assert!(note.starts_with("t.yaml:3:3: resource `A` is there twice: the last one counts"), "{note}");
}

/// Each doubles what the one before it is: the bound on all texts ends it.
#[test]
fn what_grows_without_end_is_refused() {
    let mut text = String::from("Resources:\n  N0: {Type: AWS::S3::Bucket, Properties: {BucketName: ten-letters}}\n");
    for i in 1..40 {
        let before = i - 1;
        let _ = writeln!(
            text,
            "  N{i}: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Sub '${{N{before}}}${{N{before}}}'}}}}"
        );
    }
    assert!(said(&text).contains("a text is longer than 1048576 bytes"));

    let mut chain = String::from("Resources:\n  N0: {Type: AWS::S3::Bucket, Properties: {BucketName: x}}\n");
    for i in 1..1500 {
        let _ = writeln!(chain, "  N{i}: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Ref N{}}}}}", i - 1);
    }
    assert_eq!(said(&chain), "", "a long chain is fine in the order in which it stands");
    let mut backwards = String::from("Resources:\n");
    for i in 0..1500 {
        let _ = writeln!(backwards, "  N{i}: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Ref N{}}}}}", i + 1);
    }
    backwards += "  N1500: {Type: AWS::S3::Bucket, Properties: {BucketName: x}}\n";
    assert!(said(&backwards).contains("more than 300 levels deep"));
    let deep = format!("{}a{}", "{'Fn::Join': ['', [".repeat(120), "]]}".repeat(120));
    let told = said(&valued(&deep));
    assert!(told.is_empty() || told.contains("deep") || told.contains("recursion limit"), "{told}");
}

/// Any part of a template may be missing or something else: that is said, and nothing panics.
#[test]
fn no_damage_to_a_template_panics() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sam/templates");
    let mut read_some = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let lines: Vec<&str> = text.lines().collect();
        for skipped in 0..lines.len() {
            let kept = lines.iter().enumerate().filter(|(i, _)| *i != skipped).map(|(_, line)| *line);
            let damaged = kept.collect::<Vec<_>>().join("\n");
            for word in [damaged.clone(), damaged.replace(": {", ": ["), damaged.replace("!Ref", "!If")] {
                let told = read("t.yaml", &word, &settings());
                read_some += usize::from(told.is_ok());
            }
        }
    }
    assert!(read_some > 100);
}

/// The same with bytes that are changed, cut out or doubled; every place that is told lies in the text.
#[test]
fn every_place_lies_in_the_template() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sam/templates");
    let texts: Vec<String> =
        std::fs::read_dir(folder).unwrap().flatten().filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let rounds = std::env::var("ASL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_500);
    for _ in 0..rounds {
        let mut bytes = texts[draw(texts.len())].clone().into_bytes();
        for _ in 0..=draw(4) {
            let at = draw(bytes.len());
            let end = (at + 1 + draw(30)).min(bytes.len());
            match draw(4) {
                0 => drop(bytes.drain(at..end)),
                1 => bytes[at] = b"!{}[]:,'\"$\n \\-&*#|%0"[draw(20)],
                2 => {
                    let copy = bytes[at..end].to_vec();
                    let to = draw(bytes.len());
                    bytes.splice(to..to, copy);
                }
                _ => bytes.truncate(end),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let inside = |problem: &Problem| {
            for span in problem.span.iter().chain(problem.labels.iter().map(|(span, _)| span)) {
                assert!(text.get(span.start..span.end).is_some(), "{problem:?}");
            }
        };
        match read("t.yaml", &text, &settings()) {
            Err(error) => error.problems.iter().for_each(inside),
            Ok(model) => {
                model.absent.iter().for_each(|absent| inside(&absent.problem));
                model.notes.iter().for_each(inside);
                for machine in &model.machines {
                    let Definition::Text(definition, origins) = &machine.definition else { continue };
                    let source = Source::new("t", &**definition).made_of(&*text, origins.clone());
                    let loaded = asl_syntax::load(&source, &asl_syntax::Options::default());
                    for span in loaded.diagnostics.iter().filter_map(|d| d.span) {
                        assert!(text.get(span.start..span.end).is_some(), "{span:?} in\n{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn names_look_as_cloudformation_makes_them() {
    let text = "Resources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n  Q: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}\n  \
                Bucket: {Type: AWS::S3::Bucket}\n  Machine: {Type: AWS::Serverless::StateMachine}\n";
    let long = Settings { stack_name: "a-very-long-stack-name-".repeat(6), ..settings() };
    for settings in [settings(), long] {
        let model = read("t", text, &settings).unwrap();
        let again = read("t", text, &settings).unwrap();
        for (one, other) in model.resources.iter().zip(&again.resources) {
            assert_eq!(one, other, "the same each time");
            let most = if one.kind == "AWS::S3::Bucket" { 63 } else { 255 };
            assert!(one.name.len() <= most, "{}", one.name);
        }
        assert!(model.resources[1].name.ends_with(".fifo"));
        assert_eq!(model.resources[2].name, model.resources[2].name.to_lowercase());
        assert!(model.resources[3].name.starts_with("Machine-"));
    }
    assert_eq!(of_stack("my folder"), "my-folder");
    assert_eq!(of_stack("1st"), "stack-1st");
    assert_eq!(of_stack("..."), "stack");
}
