//! Functions: a Python handler behind the Lambda Runtime API, beside the same handler behind plain HTTP.

use crate::Bench;
use crate::durable::runtime;
use crate::measure::median;
use crate::report::Figure;
use asl_function::{Code, FunctionSpec, Functions, Identity, Invocation};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("function.python", python)];

const HANDLER: &str =
    "def lambda_handler(event, context):\n    return {'fareId': event['fareId'], 'chargeId': 'ch_1'}\n";
const EVENT: &str = r#"{"customerId": "cust-00017", "fareId": "fare-000042", "fareAmount": 1249}"#;
const CALLS: usize = 2_000;
const ROUNDS: usize = 5;

/// A server that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(folder: &Path) -> (Server, u16) {
    let mut child = Command::new("python3")
        .args(["-c", include_str!("plain.py")])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("the port");
    (Server(child), line.trim().parse().expect("a port"))
}

/// Posts the event over one connection, `CALLS` times; calls per second.
fn plain(port: u16) -> f64 {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    stream.set_nodelay(true).expect("a socket");
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone().expect("a socket")), stream);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{EVENT}",
        EVENT.len()
    );
    let start = Instant::now();
    for _ in 0..CALLS {
        writer.write_all(request.as_bytes()).expect("sent");
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
    }
    CALLS as f64 / start.elapsed().as_secs_f64()
}

async fn invoke(functions: &Functions) -> f64 {
    let start = Instant::now();
    for number in 0..CALLS {
        let request_id = format!("8f5072a4-0c5e-4a25-8f6a-{number:012}");
        let invocation = Invocation { payload: EVENT.into(), request_id, client_context: None };
        functions.invoke("Step", invocation).await.expect("an answer");
    }
    CALLS as f64 / start.elapsed().as_secs_f64()
}

/// The two take turns, so that what else the machine does meets both.
fn python() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("step.py");
    std::fs::write(&file, HANDLER).expect("written");
    let (_server, port) = serve(folder.path());
    let spec = FunctionSpec::new("Step", Code::Python { file, handler: "lambda_handler".into() });
    let runtime = runtime();
    let (ours, theirs) = runtime.block_on(async {
        let functions = Functions::new(vec![spec], Arc::new(|_| {}), Identity::default()).expect("a function");
        invoke(&functions).await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.push(tokio::task::spawn_blocking(move || plain(port)).await.expect("ran"));
            ours.push(invoke(&functions).await);
        }
        functions.shutdown().await;
        (ours, theirs)
    });
    let (mut ours, mut theirs) = (ours, theirs);
    vec![
        Figure::higher("Python function through the Runtime API", median(&mut ours), "calls/s")
            .ceiling(median(&mut theirs), "plain keep-alive HTTP to the same Python")
            .ratio_goal(0.7, 0.9),
    ]
}
