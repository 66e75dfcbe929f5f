//! Functions: a Python handler behind the Lambda Runtime API, beside the same handler behind plain HTTP.

use crate::Bench;
use crate::load::{INPUT, runtime};
use crate::measure::{median, percentile};
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
const CALLS: usize = 2_000;
const ROUNDS: usize = 9;

/// What a round of calls came to.
struct Calls {
    per_second: f64,
    p50_ms: f64,
}

impl Calls {
    /// From how long each took, one after the other; milliseconds.
    fn new(mut times: Vec<f64>) -> Calls {
        let seconds = times.iter().sum::<f64>() / 1000.0;
        Calls { per_second: times.len() as f64 / seconds, p50_ms: percentile(&mut times, 0.5) }
    }
}

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

/// Posts the event over one connection, `CALLS` times.
fn plain(port: u16) -> Calls {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    stream.set_nodelay(true).expect("a socket");
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone().expect("a socket")), stream);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{INPUT}",
        INPUT.len()
    );
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
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
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Calls::new(times)
}

async fn invoke(functions: &Functions) -> Calls {
    let mut times = Vec::with_capacity(CALLS);
    for number in 0..CALLS {
        let start = Instant::now();
        let request_id = format!("8f5072a4-0c5e-4a25-8f6a-{number:012}");
        let invocation = Invocation { payload: INPUT.into(), request_id, client_context: None };
        functions.invoke("Step", invocation).await.expect("an answer");
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Calls::new(times)
}

/// The two take turns, so that what else the machine does meets both.
fn python() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("step.py");
    std::fs::write(&file, HANDLER).expect("written");
    let (_server, port) = serve(folder.path());
    let spec = FunctionSpec::new("Step", Code::Python { file, handler: "lambda_handler".into() });
    let runtime = runtime();
    let rounds = runtime.block_on(async {
        let functions = Functions::new(vec![spec], Arc::new(|_| {}), Identity::default()).expect("a function");
        invoke(&functions).await;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let theirs = tokio::task::spawn_blocking(move || plain(port)).await.expect("ran");
            rounds.push((invoke(&functions).await, theirs));
        }
        functions.shutdown().await;
        rounds
    });
    let compared = |figure: fn(f64) -> Figure, of: fn(&Calls) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(|(ours, _)| of(ours)).collect();
        let pairs = rounds.iter().map(|(ours, theirs)| (of(ours), of(theirs)));
        figure(median(&mut values)).under(pairs, "plain keep-alive HTTP to the same Python")
    };
    let rate = |value| Figure::higher("Python function through the Runtime API", value, "calls/s");
    let p50 = |value| Figure::lower("Python function through the Runtime API, p50", value, "ms");
    vec![compared(rate, |calls| calls.per_second).ratio_goal(0.7, 0.9), compared(p50, |calls| calls.p50_ms)]
}
