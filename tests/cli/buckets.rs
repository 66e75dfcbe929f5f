//! A Distributed Map reads its items from a folder and writes its results into another.

mod common;

use common::Place;
use serde_json::Value;

const SQUARES: &str = r#"{"StartAt": "Each", "States": {
  "Each": {"Type": "Map", "End": true, "MaxConcurrency": 2, "Label": "Each",
           "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                          "Parameters": {"Bucket": "in", "Key": "deep/numbers.json"}},
           "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Next",
                             "States": {"Next": {"Type": "Pass", "End": true,
                                                 "Parameters": {"next.$": "States.MathAdd($, 1)"}}}},
           "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject",
                            "Parameters": {"Bucket": "out", "Prefix": "run"}}}}}"#;

fn place(project: &str) -> Place {
    let place = Place::empty();
    place.write("numbers/deep/numbers.json", "[1, 2, 3]");
    place.write("results/.keep", "");
    place.write("asl.toml", project);
    place.write("squares.asl.json", SQUARES);
    place
}

#[test]
fn items_are_read_from_a_folder_and_results_written_into_one() {
    let place = place("[buckets.in]\nPath = \"numbers\"\n[buckets.out]\nPath = \"results\"\n");
    let output = place.asl(&["run", "squares.asl.json", "-q"]).ends(0).json();
    let details = &output["ResultWriterDetails"];
    assert_eq!(details["Bucket"], "out");
    let read = |key: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(place.path("results").join(key)).unwrap()).unwrap()
    };
    let manifest = read(details["Key"].as_str().unwrap());
    let written = read(manifest["ResultFiles"]["SUCCEEDED"][0]["Key"].as_str().unwrap());
    let mut outputs: Vec<&str> = written.as_array().unwrap().iter().map(|r| r["Output"].as_str().unwrap()).collect();
    outputs.sort_unstable();
    assert_eq!(outputs, [r#"{"next":2}"#, r#"{"next":3}"#, r#"{"next":4}"#]);
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn a_bucket_that_is_not_declared_is_refused_at_its_place() {
    let place = place("[buckets.in]\nPath = \"numbers\"\n");
    let ran = place.asl(&["run", "squares.asl.json"]);
    ran.ends(2).says("state `Each` cannot run here: the bucket 'out' is not declared").says("help: add [buckets.out]");
    ran.says("squares.asl.json:9:").says("^^^^^");
    assert!(!place.path(".asl").exists());
}

#[test]
fn what_is_no_file_of_the_folder_is_refused_and_nothing_hangs() {
    let place = place("[buckets.in]\nPath = \"numbers\"\n[buckets.out]\nPath = \"results\"\n");
    let numbers = place.path("numbers/deep/numbers.json");
    place.write("secret.json", "[7]");
    std::fs::remove_file(&numbers).unwrap();
    std::os::unix::fs::symlink(place.path("secret.json"), &numbers).unwrap();
    let ran = place.asl(&["run", "squares.asl.json", "-q"]);
    ran.ends(1).says_all(&[
        "States.ItemReaderFailed",
        "s3://in/deep/numbers.json",
        "a link leads out of the bucket's folder",
    ]);
    std::fs::remove_file(&numbers).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&numbers).status().unwrap().success());
    place.asl(&["run", "squares.asl.json", "-q"]).ends(1).says("it is not a regular file");
}
