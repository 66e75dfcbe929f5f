//! `asl serve` as a process of its own.

use super::client::Connection;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A server that ends with this value.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// How long it took to say where it listens, in milliseconds.
    pub(super) said_ms: f64,
}

impl Server {
    /// Starts the `asl` that was built with this program, for the project in a folder; `None` when there is none.
    pub(super) fn start(folder: &Path) -> Option<Server> {
        let asl = std::env::current_exe().ok()?.with_file_name("asl");
        if !asl.exists() {
            eprintln!("skipped: there is no asl beside this program; build it with `cargo build --release`");
            return None;
        }
        let began = Instant::now();
        let mut command = Command::new(asl);
        command.args(["serve", "--port", "0", "--db"]).arg(folder.join("asl.db")).current_dir(folder);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its stderr"));
        let mut line = String::new();
        while !line.contains("AWS_ENDPOINT_URL") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).expect("it speaks"), 0, "it ended without saying where it listens");
        }
        let said_ms = began.elapsed().as_secs_f64() * 1000.0;
        // Whatever else it says must have a reader.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        Some(Server { child, address: address.expect("an address"), said_ms })
    }

    /// Its resident memory, in megabytes; `NaN` where the system does not count it (not Linux).
    pub(super) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kb.map_or(f64::NAN, |kb| kb / 1024.0)
    }

    /// Makes a state machine; its ARN.
    pub(super) async fn create(&self, name: &str, kind: &str, definition: &Value) -> Value {
        let request = json!({"name": name, "type": kind, "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/bench"});
        let mut connection = Connection::new(self.address).await.expect("the server takes a connection");
        connection.call("CreateStateMachine", &request).await["stateMachineArn"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
