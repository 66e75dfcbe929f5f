use super::*;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// A Choice, a retried and caught Parallel with a Map inside, variables, an activity, a Distributed Map, a queue.
const ORDER: &str = r#"{
  "StartAt": "Kind",
  "States": {
    "Kind": {"Type": "Choice",
      "Choices": [
        {"Variable": "$.kind", "StringEquals": "many", "Next": "Pack"},
        {"Variable": "$.kind", "StringEquals": "far", "Next": "Each"}],
      "Default": "Ask"},
    "Pack": {"Type": "Parallel", "Next": "Done",
      "Branches": [
        {"StartAt": "Lines", "States": {"Lines": {"Type": "Map", "ItemsPath": "$.lines", "MaxConcurrency": 1, "End": true,
          "ItemProcessor": {"StartAt": "Line", "States": {
            "Line": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName.$": "$"},
                     "Next": "Count"},
            "Count": {"Type": "Pass", "End": true}}}}}},
        {"StartAt": "Weigh", "States": {"Weigh": {"Type": "Pass", "Assign": {"kilos": 7}, "End": true}}}],
      "Retry": [{"ErrorEquals": ["Torn"], "IntervalSeconds": 5, "MaxAttempts": 1}, {"ErrorEquals": ["Off"], "MaxAttempts": 0}],
      "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]},
    "Ask": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:ask", "TimeoutSeconds": 60,
      "Assign": {"answer.$": "$.said"}, "Next": "Tell"},
    "Tell": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": null, "Next": "Done",
      "Parameters": {"QueueUrl": "Told", "MessageBody.$": "$"}},
    "Each": {"Type": "Map", "Next": "Done", "ItemsPath": "$.lines", "ResultPath": "$.sent",
      "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Send",
        "States": {"Send": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", "End": true,
                            "Parameters": {"TopicArn": "t", "Message.$": "$"}}}}},
    "Done": {"Type": "Pass", "End": true}
  }
}"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("order.asl.json", ORDER);
        folder.write("asl.toml", "[queues.Told]\n[tables.Kept]\nHashKey = \"id\"\n");
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What is told of a test file that cannot be run.
    fn problems(&self, text: &str) -> String {
        let path = self.write("order.test.yaml", text);
        Suite::load(&path, None).err().map(|error| error.to_string()).unwrap_or_default()
    }

    async fn run(&self, text: &str) -> SuiteReport {
        let path = self.write("order.test.yaml", text);
        let suite = Suite::load(&path, None).unwrap_or_else(|error| panic!("{error}"));
        run(vec![suite], &Options::default(), |_, _, _| {}).await.suites.remove(0)
    }
}

/// What one case does not meet: all of it as text, empty when it passes.
fn told(report: &SuiteReport, case: &str) -> String {
    let (_, result) = report.cases.iter().find(|(of, _)| of.name == case).unwrap();
    let mut text = String::new();
    for mismatch in &result.mismatches {
        writeln!(text, "{}", mismatch.what).unwrap();
        mismatch.details.iter().for_each(|line| writeln!(text, "{line}").unwrap());
    }
    text
}

const MANY: &str = r#"
cases:
  many:
    input: {kind: many, lines: [a, b]}
    mocks:
      Line:
        - {return: 1, after: 10}
        - {throw: {error: Torn, cause: bag}}
        - {return: 3, times: 2, after: 0.5}
    expect:
      output: [[3, 3], {kind: many, lines: [a, b]}]
      outputContains: [[3, 3], {kind: many}]
      path: [Kind, Pack: [[Lines: [Line, Count]], [Weigh]], Done]
      duration: 16
      retries: {Pack: 1}
      variables: {kilos: 7}
      tables: {Kept: []}
      queues: {Told: []}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_expectation_holds_and_each_one_fails_when_it_is_broken() {
    let folder = Folder::new();
    let report = folder.run(MANY).await;
    assert_eq!(told(&report, "many"), "");
    let broken = [
        ("output: [[3, 3]", "output: [[3, 4]", "output\n", "-     4\n+     3\n"),
        (
            "outputContains: [[3, 3], {kind: many",
            "outputContains: [[3, 3], {kind: one",
            "outputContains\n",
            "- $[1].kind: \"one\"\n+ $[1].kind: \"many\"\n",
        ),
        ("[Weigh]], Done]", "[Wait]], Done]", "path\n", "-     Wait\n+     Weigh\n"),
        ("[Line, Count]", "[[Line, Count], [Line]]", "path\n", "+         Count\n"),
        ("Done]\n", "Done, Done]\n", "path\n", "- Done\n"),
        ("duration: 16", "duration: 17", "duration: expected 17 s, found 16 s\n", ""),
        ("duration: 16", "duration: {min: 1, max: 15.9}", "duration: expected 1 s to 15.900 s, found 16 s\n", ""),
        ("{Pack: 1}", "{Pack: 2}", "retries of Pack: expected 2, found 1\n", ""),
        ("kilos: 7", "kilos: 8", "variable kilos\n- 8\n+ 7\n", ""),
        ("kilos: 7", "pounds: 7", "variable pounds: it is never assigned\n", ""),
        ("Kept: []", "Kept: [{id: a}]", "table Kept: expected 1, found 0\n", ""),
        ("Told: []", "Tolled: []", "queue Tolled: there is no queue Tolled", ""),
        (
            "      output: [[3",
            "      error: Torn\n      output: [[3",
            "status: expected FAILED, found SUCCEEDED\noutput: [[3,3]",
            "",
        ),
        ("{return: 3, times: 2, after: 0.5}", "{throw: Torn}", "status: expected SUCCEEDED, found FAILED", "cause: "),
    ];
    let mut broken: Vec<_> = broken.into_iter().collect();
    // The last one is caught, so it succeeds with another output.
    let caught = broken.pop().unwrap();
    for (from, to, what, line) in broken {
        assert!(MANY.contains(from), "{from}");
        let told = told(&folder.run(&MANY.replace(from, to)).await, "many");
        assert!(told.starts_with(what) && told.contains(line), "{to} says:\n{told}");
    }
    let failed = told(&folder.run(&MANY.replace(caught.0, caught.1)).await, "many");
    assert!(failed.contains("+   \"Error\": \"Torn\""), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mocks_answer_any_task_and_say_when_they_have_no_answer() {
    let report = Folder::new()
        .run(
            r#"
now: 2031-05-06T07:08:09Z
cases:
  activity:
    mocks: {Ask: {return: {said: "yes"}}}
    expect: {output: {said: "yes"}, path: [Kind, Ask, Tell, Done], variables: {answer: "yes"}, queues: {Told: [{said: "yes"}]}}
    input: {kind: one}
  silent activity:
    input: {kind: one}
    mocks: {Ask: never}
    expect: {error: States.Timeout, duration: 60}
  children:
    input: {kind: far, lines: [x, "y", z]}
    mocks: {Send: [{when: {Message: "y"}, return: why}, {return: sent, after: 3600}]}
    expect:
      outputContains: {sent: [sent, why, sent]}
      path: [Kind, Each: [Send], Done]
      duration: {min: 3600, max: 3600.5}
  child by child:
    input: {kind: far, lines: [x, z]}
    mocks: {Send: {return: sent}}
    expect: {path: [Kind, {Each: [[Send], [Send, Send]]}, Done]}
  too few answers:
    input: {kind: many, lines: [a, b]}
    mocks: {Line: [{return: 1}]}
    expect: {outputContains: {Error: States.Runtime}}
  not mocked:
    input: {kind: one}
    expect: {status: FAILED}
  no such kind:
    input: {}
    expect: {error: States.Runtime, cause: "Invalid path '$.kind'"}
  another cause:
    input: {}
    expect: {error: States.Runtime, cause: nothing of that}
"#,
        )
        .await;
    for case in ["activity", "silent activity", "children", "no such kind"] {
        assert_eq!(told(&report, case), "", "{case}");
    }
    assert!(told(&report, "child by child").contains("-     Send\n"), "{}", told(&report, "child by child"));
    assert!(
        told(&report, "too few answers").contains("has no answer for call 1 of state 'Line'"),
        "{}",
        told(&report, "too few answers")
    );
    assert!(told(&report, "not mocked").starts_with("called, and not mocked: Ask: the activity 'ask' is not declared"));
    assert!(told(&report, "another cause").starts_with("cause\n- ...nothing of that...\n+ "));
    let (case, _) = &report.cases[0];
    assert_eq!((case.line, case.now.to_string()), (4, "2031-05-06T07:08:09Z".to_owned()));
}

/// A Distributed Map that reads its items from a bucket which nobody has declared.
const READS: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true,
  "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW",
    "MaxItems": 2}, "Parameters": {"Bucket": "nobodys", "Key.$": "$.key"}},
  "Retry": [{"ErrorEquals": ["States.ItemReaderFailed"], "IntervalSeconds": 5, "MaxAttempts": 1}],
  "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "One",
    "States": {"One": {"Type": "Pass", "End": true}}}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_map_reads_is_mocked_as_a_task_is() {
    let folder = Folder::new();
    folder.write("order.asl.json", READS);
    let report = folder
        .run(
            r#"
input: {key: a.csv}
mockOnly: true
cases:
  items:
    mocks: {Each: {return: [{id: "1"}, {id: "2"}, {id: beyond MaxItems}]}}
    expect: {output: [{id: "1"}, {id: "2"}], path: [Each: [One]]}
  an object:
    mocks: {Each: {return: {a: 1}}}
    expect: {output: [{Key: a, Value: 1}]}
  by what is read:
    mocks: {Each: [{when: {Key: b.csv}, return: []}, {when: {Key: a.csv}, return: [7]}]}
    expect: {output: [7]}
  missing, then there:
    mocks: {Each: [{throw: {error: States.ItemReaderFailed, cause: none}, after: 2}, {return: [1]}]}
    expect: {output: [1], duration: 7, retries: {Each: 1}}
  no items:
    mocks: {Each: {return: text}}
    expect: {error: States.ItemReaderFailed, cause: non-iterable, duration: 5}
  not mocked:
    expect: {status: FAILED}
"#,
        )
        .await;
    for case in ["items", "an object", "by what is read", "missing, then there", "no items"] {
        assert_eq!(told(&report, case), "", "{case}");
    }
    let bare = told(&report, "not mocked");
    assert!(bare.starts_with("called, and not mocked: Each: the bucket 'nobodys' is not declared"), "{bare}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_case_reaches_is_counted_and_listed_with_its_line() {
    let folder = Folder::new();
    let coverage = folder.run(MANY).await.coverage;
    let counts =
        [("states", 7, 11), ("transitions", 3, 8), ("catchers", 0, 1), ("retriers", 1, 1), ("choice rules", 1, 2)];
    assert_eq!(coverage.counts, counts, "a retrier without attempts cannot be reached");
    let listed: Vec<String> = coverage.unreached.iter().map(|u| format!("{} {}: {}", u.line, u.kind, u.what)).collect();
    let wanted = [
        "7 choice rules: Kind: rule 2",
        "7 transitions: Kind -> Each",
        "8 transitions: Kind -> Ask",
        "18 catchers: Pack: Catch 1 (States.ALL)",
        "19 states: Ask",
        "20 transitions: Ask -> Tell",
        "21 states: Tell",
        "21 transitions: Tell -> Done",
        "23 states: Each",
        "23 transitions: Each -> Done",
        "25 states: Send",
    ];
    let mut sorted = listed.clone();
    sorted.sort_by_key(|line| line.split(' ').next().and_then(|n| n.parse::<u32>().ok()));
    for line in wanted {
        assert!(sorted.iter().any(|l| l == line), "{line} is in {sorted:#?}");
    }
    assert_eq!(sorted.len(), wanted.len(), "{sorted:#?}");
    assert_eq!(coverage.to_value()["kinds"]["states"]["reached"], crate::Value::from(7));

    // The way through the catcher alone leads from Pack to Done too, but not as its Next does.
    let caught = MANY.replace("{throw: {error: Torn, cause: bag}}", "{throw: Lost}").replace("output: [[3, 3]", "#");
    let coverage = folder.run(&caught[..caught.find("    expect").unwrap()]).await.coverage;
    assert!(coverage.unreached.iter().all(|u| u.what != "Pack: Catch 1 (States.ALL)" && u.what != "Pack -> Done"));
    assert!(coverage.unreached.iter().any(|u| u.what == "Pack: Retry 1 (Torn)"));
    assert_eq!(percent((0, 0)), 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_takes_too_long_is_given_up() {
    let folder = Folder::new();
    folder.write("slow.py", "import time\ndef lambda_handler(event, context):\n    time.sleep(60)\n");
    folder.write("asl.toml", "[functions.Slow]\nRuntime = \"python\"\nFile = \"slow.py\"\nTimeout = 900\n");
    folder.write(
        "slow.asl.json",
        r#"{"StartAt": "Slow", "States": {"Slow": {"Type": "Task", "End": true, "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Slow"}}}"#,
    );
    let path = folder.write(
        "slow.test.json",
        r#"{"cases": {"slow": {}, "mocked": {"mocks": {"Slow": {"return": 1}}}, "only": {"mockOnly": true}}}"#,
    );
    let chosen = |filter: &str, limit| Options { limit, filters: vec![filter.to_owned()], ..Options::default() };
    let suite = || vec![Suite::load(&path, None).unwrap()];
    let minute = Duration::from_secs(60);
    let mocked = run(suite(), &chosen("slow mocked", minute), |_, _, _| {}).await;
    assert!(mocked.passed(), "{mocked}");
    let only = run(suite(), &chosen("slow only", minute), |_, _, _| {}).await;
    let wanted = "called, and not mocked: Slow: functions do not run under mockOnly";
    assert!(told(&only.suites[0], "only").starts_with(wanted), "{only}");
    let report = run(suite(), &chosen("slow slow", Duration::from_millis(50)), |_, _, _| {}).await;
    assert!(!report.passed());
    assert_eq!(told(&report.suites[0], "slow"), "it did not end within 0.05 s of real time\n");
    assert!(report.to_string().starts_with("slow slow failed:\n  it did not end"));
}

#[test]
fn half_a_test_file_is_told_and_never_a_panic() {
    let folder = Folder::new();
    for end in (0..MANY.len()).filter(|end| MANY.is_char_boundary(*end)) {
        folder.problems(&MANY[..end]);
    }
    let wild = ["{return: 1, times: 9223372036854775807}"; 4].join(", ");
    assert_eq!(folder.problems(&format!("cases: {{a: {{mocks: {{Line: [{wild}]}}}}}}")), "");
}

#[test]
fn mistakes_in_test_files_are_told_with_their_places() {
    let folder = Folder::new();
    folder.write("sfn.json", r#"{"StateMachines": {"order": {"TestCases": {"A": {"Ask": "R"}, "B": {"Axe": "R"}}}}, "MockedResponses": {"R": {"0": {"Return": 1}}}}"#);
    folder.write("no.json", "{");
    let table = [
        ("", "the text is empty", 0),
        ("cases: [", "", 1),
        ("cases: []", "`cases` is not an object", 1),
        ("input: 1", "there are no cases", 1),
        ("case: {}", "unknown key `case` in a test file", 1),
        ("definition: none.json\ncases: {}", "none.json does not exist", 1),
        ("cases:\n  a: {expects: {}}", "did you mean `expect`?", 2),
        ("cases:\n  a: {}\n  a: {}", "`a` stands here twice", 3),
        ("cases:\n  a:\n    inputFile: none.json", "none.json cannot be read", 3),
        ("cases:\n  a:\n    inputFile: no.json", "no.json is not JSON", 3),
        ("cases:\n  a:\n    now: today", "`now` is a timestamp", 3),
        ("cases:\n  a:\n    mocks: {Line: {return: 1, throw: E}}", "a mock has one answer", 3),
        ("cases:\n  a:\n    mocks: {Line: {after: 1}}", "a mock without an answer", 3),
        ("cases:\n  a:\n    mocks: {Line: {throw: {}}}", "`throw` has no error", 3),
        ("cases:\n  a:\n    mocks: {Line: {return: 1, times: 0}}", "at least once", 3),
        ("cases:\n  a:\n    mocks: {Line: {return: 1, after: -1}}", "`after` is a number of seconds", 3),
        ("cases:\n  a:\n    mocks: {Lin: never}", "help: did you mean 'Line'?", 3),
        (
            "cases:\n  a:\n    mocks: {Kind: never}",
            "'Kind' is a Choice state: only Task states and the ItemReader of a Map are mocked",
            3,
        ),
        ("cases:\n  a:\n    mockCase: A", "`mockCase` without `mockFile`", 3),
        ("cases:\n  a:\n    mockFile: none.json", "none.json cannot be read", 3),
        ("cases:\n  a:\n    mockFile: sfn.json", "choose one with `mockCase`", 3),
        ("cases:\n  a: {mockFile: sfn.json,\n    mockCase: C}", "no test case of 'order' 'C'; it has A, B", 3),
        ("cases:\n  a: {mockFile: sfn.json, mockCase: B}", "the definition has no state 'Axe'", 2),
        ("cases:\n  a:\n    expect: {status: OK}", "use one of SUCCEEDED, FAILED, TIMED_OUT, ABORTED", 3),
        ("cases:\n  a:\n    expect: {path: Kind}", "a path is a list of states", 3),
        ("cases:\n  a:\n    expect: {path: [{A: [], B: []}]}", "this is no step of a path", 3),
        ("cases:\n  a:\n    expect: {retries: {Line: some}}", "`Line` is a whole number", 3),
        ("cases:\n  a:\n    expect: {duration: {mim: 1}}", "did you mean `min`?", 3),
    ];
    for (text, words, line) in table {
        let told = folder.problems(text);
        assert!(told.contains(words) && !told.is_empty(), "{text}\n{told}");
        assert!(line == 0 || told.contains(&format!("order.test.yaml:{line}:")), "{text}\n{told}");
    }
    assert_eq!(folder.problems("cases:\n  a: {mockFile: sfn.json, mockCase: A}"), "");
    assert!(
        Suite::load(&folder.0.path().join("none.test.yaml"), None)
            .err()
            .unwrap()
            .to_string()
            .contains("cannot be read")
    );
    folder.write("order.asl.json", "{\"StartAt\": \"A\", \"States\": {}}");
    assert!(folder.problems("cases: {}").contains("order.asl.json:1:"));
}
