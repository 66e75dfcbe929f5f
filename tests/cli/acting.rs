//! Beginning a project, and acting on tables, queues, topics, functions and buckets from the command line.

mod common;

use common::Place;
use serde_json::json;

const PROJECT: &str = "[tables.Orders]\nHashKey = 'id'\n[tables.Lines]\nHashKey = 'order'\nRangeKey = 'line'\n[queues.Work]\n\
    [queues.'Work.fifo']\nFifoQueue = true\n[topics.News]\n[[topics.News.Subscriptions]]\nProtocol = 'sqs'\nEndpoint = 'Work'\n\
    [functions.Twice]\nRuntime = 'python'\nFile = 'twice.py'\n[buckets.files]\nPath = 'files'\n";

fn project() -> Place {
    let place = Place::empty();
    place.write("asl.toml", PROJECT);
    place.write(
        "twice.py",
        "class Odd(Exception):\n    pass\ndef lambda_handler(event, context):\n    print('twice', event['n'])\n    if event['n'] == 1:\n        raise Odd('one')\n    return {'n': event['n'] * 2}\n",
    );
    place.write("files/a.txt", "text\n");
    place
}

#[test]
fn items_are_put_queried_and_deleted() {
    let place = project();
    place
        .asl(&["table", "put", "Orders", r#"{"id": "1", "n": 2.5, "ok": true, "no": null, "l": ["a", {"b": 1}]}"#])
        .ends(0);
    let item = place.asl(&["table", "get", "Orders", "1", "--json"]).json();
    let wanted = json!({"id": {"S": "1"}, "n": {"N": "2.5"}, "ok": {"BOOL": true}, "no": {"NULL": true},
        "l": {"L": [{"S": "a"}, {"M": {"b": {"N": "1"}}}]}});
    assert_eq!(item["Item"], wanted);
    // What has types already is kept as it is.
    place.asl(&["table", "put", "Orders", r#"{"id": {"S": "2"}, "tags": {"SS": ["x"]}}"#]).ends(0);
    assert_eq!(place.asl(&["table", "get", "Orders", "2", "--json"]).json()["Item"]["tags"], json!({"SS": ["x"]}));
    for line in ["a1", "a2", "b1"] {
        let item = format!("{{\"order\": \"7\", \"line\": \"{line}\"}}");
        place.asl_with_stdin(&["table", "put", "Lines", "-"], &item).ends(0);
    }
    let lines = |args: &[&str]| {
        let found = place.asl(&[&["table", "query", "Lines", "7", "--json"], args].concat()).json();
        found["Items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["line"]["S"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&[]), ["a1", "a2", "b1"]);
    assert_eq!(lines(&["--begins-with", "a", "--reverse"]), ["a2", "a1"]);
    assert_eq!(lines(&["--limit", "1"]), ["a1"]);
    place.asl(&["table", "delete", "Lines", "7", "a1"]).ends(0);
    place.asl(&["table", "delete", "Lines", "7", "a1"]).ends(1).says("there is no item 7 in Lines");
    assert_eq!(lines(&[]), ["a2", "b1"]);
    place.asl(&["table", "put", "Orders", "{\"x\": 1}"]).ends(2).says("Missing the key id in the item");
    place.asl(&["table", "put", "Orders", "[1]"]).ends(2).says("the item is no object");
    place.asl(&["table", "put", "Odrers", "{}"]).ends(2).says("there is no table Odrers (declared: Lines, Orders)");
    place.asl(&["table", "query", "Orders", "1", "--begins-with", "x"]).ends(2).says("has no range key");
}

#[test]
fn messages_are_sent_received_and_deleted_by_their_receipt() {
    let place = project();
    let id = place.asl(&["queue", "send", "Work", "one"]).ends(0).stdout.trim_end().to_owned();
    let received = place.asl(&["queue", "receive", "Work"]).stdout;
    assert!(received.starts_with(&id) && received.contains("\n  one\n"), "{received}");
    let receipt = received.lines().find_map(|line| line.trim().strip_prefix("receipt ")).unwrap();
    place.asl(&["queue", "delete", "Work", receipt]).ends(0);
    place.asl(&["queue", "peek", "Work"]).ends(0).says("no messages");
    place.asl(&["queue", "delete", "Work", "nonsense"]).ends(2).says("ReceiptHandle");
    let sent = place.asl(&["queue", "send", "Work.fifo", "x", "--group", "g", "--dedup", "d", "--json"]).json();
    assert!(sent["MessageId"].is_string() && sent["SequenceNumber"].is_string(), "{sent}");
    place.asl(&["queue", "send", "Work.fifo", "x"]).ends(2).says("MessageGroupId");
    place.asl(&["topic", "publish", "News", "hear", "--subject", "s"]).ends(0);
    let heard = place.asl(&["queue", "peek", "Work", "--json"]).json();
    assert!(heard["Messages"][0]["Body"].as_str().unwrap().contains("hear"), "{heard}");
    place.asl_with_stdin(&["queue", "send", "Work", "-", "--delay", "900"], "later").ends(0);
    place.asl(&["queue", "purge", "Work"]).ends(0).says("2 messages deleted from Work");
    place.asl(&["topic", "publish", "Nwes", "x"]).ends(2).says("there is no topic Nwes (declared: News)");
}

#[test]
fn functions_are_invoked_and_objects_copied() {
    let place = project();
    let ran = place.asl(&["function", "invoke", "Twice", "-i", "{\"n\": 4}"]);
    assert_eq!(ran.ends(0).says("twice 4").stdout, "{\"n\":8}\n");
    place
        .asl(&["function", "invoke", "Twice", "-i", "{\"n\": 1}", "-q"])
        .ends(1)
        .says("error: the function failed: Odd\n");
    place.asl(&["function", "invoke", "Tiwce"]).ends(2).says("there is no function Tiwce (declared: Twice)");

    let bytes = [0u8, 255, 27, b'[', 10];
    std::fs::write(place.path("raw.bin"), bytes).unwrap();
    place.asl(&["bucket", "put", "files", "deep/raw.bin", "raw.bin"]).ends(0);
    place.asl(&["bucket", "get", "files", "deep/raw.bin", "back.bin"]).ends(0);
    assert_eq!(std::fs::read(place.path("back.bin")).unwrap(), bytes);
    place.asl(&["bucket", "get", "files", "deep/raw.bin"]).ends(2).says("is no text").says("hint: name a file");
    assert_eq!(place.asl(&["bucket", "get", "files", "a.txt"]).ends(0).stdout, "text\n");
    let listed = place.asl(&["bucket", "ls", "files", "--json"]).json();
    assert_eq!((&listed["Contents"][0]["Key"], &listed["Contents"][1]["Size"]), (&json!("a.txt"), &json!(5)));
    assert!(place.asl(&["bucket", "ls", "files", "deep/"]).stdout.ends_with("  deep/raw.bin\n"));
    place.asl(&["bucket", "get", "files", "none"]).ends(1).says("there is no object none in files");
    place.asl(&["bucket", "put", "files", "../out", "raw.bin"]).ends(2);
    assert!(!place.path("out").exists());
}

#[test]
fn a_project_begins_with_something_that_runs() {
    let place = Place::empty();
    for (folder, args) in [("shop", &["init", "shop"][..]), ("bare", &["init", "bare", "--empty"])] {
        let made = place.asl(args);
        assert!(made.ends(0).stdout.contains(&format!("{folder}/asl.toml\n")), "{}", made.stdout);
        place.asl(args).ends(2).says("already").says("nothing was written");
        let next = made.stderr.trim_end().strip_prefix(&format!("next: cd {folder} && ")).unwrap();
        for command in next.split("; ") {
            let words: Vec<&str> = command.strip_prefix("asl ").unwrap().split(' ').collect();
            let ran = place.command(&words).current_dir(place.path(folder)).output().unwrap();
            common::Ran::from(ran).ends(0);
        }
        let checked = place.asl(&["check", folder]);
        assert!(checked.ends(0).stdout.is_empty(), "{}", checked.stdout);
        assert!(std::fs::read_to_string(place.path(&format!("{folder}/.gitignore"))).unwrap().contains(".asl"));
    }
}

#[test]
fn the_program_tells_its_commit_and_completes_itself() {
    let place = Place::empty();
    let version = place.asl(&["--version"]).stdout;
    assert!(version.starts_with(&format!("asl {}", env!("CARGO_PKG_VERSION"))), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.asl(&["completions", shell]).ends(0).stdout.contains("send-task-success"), "{shell}");
    }
    place.asl(&["man", "pages"]).ends(0);
    for page in ["asl.1", "asl-run.1", "asl-table-put.1"] {
        assert!(std::fs::read_to_string(place.path("pages").join(page)).unwrap().contains(".TH"), "{page}");
    }
}
