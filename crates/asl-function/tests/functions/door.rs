//! A worker's Runtime API is for that worker: another process of the same machine, and even of the same user, reads no
//! invocation and answers none. This test is such a process.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    process::Command,
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

/// The same said by a process of another user, `nobody`; none where this process may not start one.
fn says_nobody(address: &str) -> Option<String> {
    const NOBODY: u32 = 65534;
    const SCRIPT: &str = r#"
import socket, sys
authority, _, secret = sys.argv[1].partition("/")
host, port = authority.rsplit(":", 1)
stream = socket.create_connection((host, int(port)))
path = "/".join(filter(None, [secret, "2018-06-01/runtime/invocation/next"]))
try:
    stream.sendall(f"GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode())
    print(stream.recv(65536).decode(), end="")
except ConnectionError:
    pass
"#;
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, address]).current_dir("/").uid(NOBODY).gid(NOBODY);
    match python.output() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: only root can start a process of another user");
            None
        }
        said => {
            let said = said.expect("python3 runs");
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            Some(String::from_utf8_lossy(&said.stdout).into_owned())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_reads_nothing_and_answers_nothing() {
    let provided = FunctionSpec::new("F", Code::Provided { executable: handlers().join("provided.py") });
    for spec in [provided, python("cases.py", "where")] {
        let functions = Harness::new(spec);
        let address = functions.invoke(json!({"do": "where"})).await.expect("an address");
        let address = address.as_str().expect("a text").to_owned();
        let nobody = address.clone();
        let answer = tokio::task::spawn_blocking(move || says_nobody(&nobody)).await.expect("a thread");
        if let Some(answer) = answer {
            assert!(answer.is_empty() || !cfg!(target_os = "linux") && !answer.contains("200 OK"), "{answer}");
            let told = "a process of user 65534 that the function did not start";
            if cfg!(target_os = "linux") {
                eventually("it is told", || functions.lines().iter().any(|line| line.text.contains(told))).await;
            }
        }
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
