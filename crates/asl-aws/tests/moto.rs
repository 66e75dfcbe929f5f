//! Operations of all kinds against moto, a public stand-in for AWS: parameters, results in their casing, lists of one, bytes,
//! times, errors by name.
//!
//!     python3 -m venv target/moto-5.2.5 && target/moto-5.2.5/bin/pip install 'moto[server]==5.2.5'
//!     cargo test -p asl-aws --test moto
//!
//! The server is looked for there, or where `ASL_MOTO` says. Without it the test says that it is skipped, unless `ASL_NO_SKIP`
//! is set. `moto.jsonl` has the cases, one a line: `gives` is what the result must hold (`*` stands for anything, `<time>` for
//! a time), `fails` the error's name, `refused` the complaint about parameters that are not sent, `keep` names parts of the
//! result that later lines use as `${name}`.

use asl_aws::system::{HttpRequest, Real, System};
use asl_aws::time::Timestamp;
use asl_aws::{CallError, Client, Settings, dialect, model};
use asl_value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server on a free port; it writes the address when it listens.
fn start() -> Result<Moto, String> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/moto-5.2.5/bin/moto_server");
    let program = std::env::var_os("ASL_MOTO").map_or(usual, PathBuf::from);
    let mut command = Command::new(&program);
    command.args(["-H", "127.0.0.1", "-p", "0"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let missing = |e| format!("no moto at {}: {e}; see the top of tests/moto.rs", program.display());
    let mut child = command.spawn().map_err(missing)?;
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let url = loop {
        let line = lines.next().ok_or("moto ended")?.map_err(|e| e.to_string())?;
        if let Some((_, url)) = line.split_once("Running on ") {
            break url.trim().to_owned();
        }
    };
    // Its log is read to its end, or it would stop when the pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(Moto { child, url })
}

fn matches(actual: &Value, wanted: &Value) -> bool {
    match (wanted, actual) {
        (Value::String(w), _) if &**w == "*" => !actual.is_null(),
        (Value::String(w), Value::String(a)) if &**w == "<time>" => a.ends_with('Z') && Timestamp::parse(a).is_some(),
        (Value::String(w), _) if &**w == "<number>" => actual.as_number().is_some(),
        (Value::Object(w), Value::Object(a)) => w.iter().all(|(k, w)| a.get(k).is_some_and(|a| matches(a, w))),
        (Value::Array(w), Value::Array(a)) => w.len() == a.len() && w.iter().zip(a.iter()).all(|(w, a)| matches(a, w)),
        _ => wanted == actual,
    }
}

/// Replaces `${name}` in a text of JSON.
fn fill(line: &str, kept: &BTreeMap<String, String>) -> String {
    kept.iter().fold(line.to_owned(), |line, (name, value)| line.replace(&format!("${{{name}}}"), value))
}

fn part<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |v, step| match step.parse::<usize>() {
        Ok(index) => &v[index],
        Err(_) => &v[step],
    })
}

async fn run(client: &Client, case: &Value, kept: &mut BTreeMap<String, String>) -> Result<(), String> {
    let (name, action) = case["call"].as_str().unwrap().split_once(':').unwrap();
    let service = model::service(name).ok_or("no such service")?;
    let operation = service.operation(action).ok_or("no such operation")?;
    let called = client.call(&service, operation, &case["with"], "11111111-2222-3333-4444-555555555555", None).await;
    match called {
        Ok(answer) => {
            for (name, path) in case["keep"].as_object().into_iter().flatten() {
                let value = part(&answer.result, path.as_str().unwrap());
                kept.insert(name.to_string(), value.as_str().unwrap_or_default().to_owned());
            }
            let good = case.get("gives").is_some_and(|wanted| matches(&answer.result, wanted));
            if good { Ok(()) } else { Err(format!("gave {}", answer.result)) }
        }
        Err(CallError::Fault(fault)) => {
            let (error, cause) = (dialect::error_name(&service, &fault), dialect::cause(&service, &fault));
            let begins = case["cause"].as_str().unwrap_or("");
            let good = case["fails"].as_str() == Some(&error) && cause.starts_with(begins);
            if good { Ok(()) } else { Err(format!("failed: {error}: {cause} ({fault:?})")) }
        }
        Err(CallError::Parameters(complaints)) if case["refused"].as_str() == Some(&complaints.join("; ")) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn moto_is_called_and_understood() {
    let moto = match start() {
        Ok(moto) => moto,
        Err(reason) if std::env::var("ASL_NO_SKIP").is_ok() => panic!("{reason}"),
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let system = Arc::new(WithKeys(Real::default(), keys));
    let settings = Settings {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some(moto.url.clone()),
        max_attempts: 1,
        ..Settings::default()
    };
    without_docker(&*system, &moto, &settings).await;
    let client = Client::new(system, settings);
    let (mut kept, mut wrong, mut called) = (BTreeMap::new(), vec![], BTreeSet::new());
    for line in include_str!("moto.jsonl").lines() {
        let case: Value = fill(line, &kept).parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        called.insert(case["call"].to_string());
        if let Err(why) = run(&client, &case, &mut kept).await {
            wrong.push(format!("{line}\n    {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(called.len() >= 60, "{} operations", called.len());
}

/// Functions and jobs end at once, without containers.
async fn without_docker(system: &dyn System, moto: &Moto, settings: &Settings) {
    let request = HttpRequest {
        method: "POST",
        secure: false,
        host: moto.url.trim_start_matches("http://").to_owned(),
        path: "/moto-api/config".to_owned(),
        query: String::new(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: r#"{"lambda": {"use_docker": false}, "batch": {"use_docker": false}}"#.into(),
    };
    let response = system.send(&request, &settings.limits).await.expect("moto answers");
    assert!(response.status < 300, "{}", response.status);
}

/// The real world with keys of its own.
struct WithKeys(Real, [(&'static str, &'static str); 2]);

#[async_trait::async_trait]
impl System for WithKeys {
    fn variable(&self, name: &str) -> Option<String> {
        self.1.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    async fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.0.read(path).await
    }

    async fn run(&self, command: &str, timeout_ms: u64) -> std::io::Result<Vec<u8>> {
        self.0.run(command, timeout_ms).await
    }

    async fn send(
        &self,
        request: &HttpRequest,
        limits: &asl_aws::system::Limits,
    ) -> Result<asl_aws::protocol::Response, asl_aws::system::SendError> {
        self.0.send(request, limits).await
    }

    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.0.sleep_ms(ms).await;
    }

    fn chance(&self) -> f64 {
        self.0.chance()
    }
}
