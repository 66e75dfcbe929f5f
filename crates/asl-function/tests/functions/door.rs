//! A worker's Runtime API is for that worker: another process of the same machine, and even of the same user, reads no
//! invocation and answers none. This test is such a process.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use asl_function::{Code, FunctionSpec};
use serde_json::json;

use crate::harness::{Harness, ID, eventually, handlers, python};

/// Says a request, and gives what comes back before the connection ends.
fn says(address: &str, method: &str, resource: &str) -> String {
    let (authority, secret) = address.split_once('/').unwrap_or((address, ""));
    let slash = if secret.is_empty() { "" } else { "/" };
    let mut stream = TcpStream::connect(authority).expect("a connection");
    let request = format!(
        "{method} {slash}{secret}/2018-06-01/runtime/{resource} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Length: 4\r\n\r\n\"me\""
    );
    // It may be closed before all is said.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_reads_nothing_and_answers_nothing() {
    let provided = FunctionSpec::new("F", Code::Provided { executable: handlers().join("provided.py") });
    for spec in [provided, python("cases.py", "where")] {
        let functions = Harness::new(spec);
        let address = functions.invoke(json!({"do": "where"})).await.expect("an address");
        let address = address.as_str().expect("a text").to_owned();
        let requests = [
            ("GET", "invocation/next".to_owned()),
            ("POST", format!("invocation/{ID}/response")),
            ("POST", format!("invocation/{ID}/error")),
            ("POST", "init/error".to_owned()),
        ];
        for (method, resource) in requests {
            let address = address.clone();
            let told = resource.clone();
            let answer =
                tokio::task::spawn_blocking(move || says(&address, method, &resource)).await.expect("a thread");
            match cfg!(target_os = "linux") {
                true => assert_eq!(answer, "", "{told}"),
                false => assert!(!answer.contains("200 OK"), "{answer}"),
            }
        }
        // The worker itself is served as before.
        assert!(functions.invoke(json!({"do": "where"})).await.is_ok());
        if cfg!(target_os = "linux") {
            let told = "asl: refused at the Runtime API: a process of user";
            eventually("it is told", || functions.lines().iter().any(|line| line.text.starts_with(told))).await;
        }
    }
}
