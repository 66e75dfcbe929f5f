//! `http:invoke` against a server of the test: what is sent, what comes back, and what is not seen of secrets.

use asl_core::Failure;
use asl_syntax::{Options, Resource, Source};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::function::FunctionSet;
use asl_task::http::{ConnectionSpec, Http};
use asl_task::{Backends, Call};
use asl_value::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that gives each request the next of its answers, and keeps what it got.
struct Server {
    address: SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answers: &[&str]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, got) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (kept, answers) = (got.clone(), answers.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                kept.lock().unwrap().push(request(&mut stream));
                // The request's secrets come back where an answer asks for them.
                let echo = kept.lock().unwrap().last().unwrap().clone();
                let (head, body) = answer.split_once("\n\n").unwrap();
                let body = body.replace("{echo}", &echo.replace(['\r', '\n'], " ").replace('"', "'"));
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
                    head.replace('\n', "\r\n")
                );
            }
        });
        Server { address, got }
    }

    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

fn request(stream: &mut impl Read) -> String {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length =
        head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()));
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8_lossy(&body)
}

fn backends(connections: &str, folder: &Path, private: Vec<String>) -> Backends {
    let connections: BTreeMap<String, ConnectionSpec> = toml::from_str(connections).unwrap();
    let identity = Identity::new("us-east-1", "000000000000");
    let services = Services::new(&ServicesSpec::default(), identity.clone()).unwrap();
    let mut backends = Backends::new(FunctionSet::new(identity), Arc::new(services));
    backends.http = Http::new(connections, folder, private, "eu-west-1");
    backends
}

const ARN: &str = "arn:aws:events:us-east-1:000000000000:connection/c/1";

/// Invokes with `members` beside the endpoint and the connection `c`.
async fn invoke(connections: &str, server: &Server, members: &str) -> Result<Value, Failure> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "s3cret-key\n").unwrap();
    let connections = connections.replace("{server}", &server.address.to_string());
    let backends = backends(&connections, folder.path(), vec![server.address.to_string()]);
    let backend = backends.resolve(&Resource::parse("arn:aws:states:::http:invoke").unwrap()).unwrap();
    let parameters = format!(
        r#"{{"ApiEndpoint": "http://{}/v1/a?x=1", "Authentication": {{"ConnectionArn": "{ARN}"}}, {members}}}"#,
        server.address
    );
    backend.call(&Call { parameters: &parameters.parse().unwrap(), key: "k", role_arn: None }).await
}

fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.error.as_deref().unwrap(), failure.cause.as_deref().unwrap_or_default())
}

const KEY: &str = r#"c = { ApiKey = { Name = "x-api-key", Value = { File = "key" } } }"#;

#[tokio::test]
async fn a_request_has_what_the_state_and_the_connection_say() {
    let server = Server::start(&["200 OK\nContent-Type: application/json\nX-A: 1\nX-A: 2\n\n{\"ok\": true}"]);
    let connection = r#"
        [c]
        ApiKey = { Name = "x-api-key", Value = { File = "key" } }
        Headers = { X-Own = "connection" }
        Query = { q = "connection" }
        Body = { b = "connection" }
    "#;
    let members = r#""Method": "POST", "Headers": {"x-own": "task", "X-Task": "t"},
        "QueryParameters": {"q": "task", "list": ["1", 2], "y": "a b"}, "RequestBody": {"a": 1, "b": "task"}"#;
    let answer = invoke(connection, &server, members).await.unwrap();
    assert_eq!(answer["ResponseBody"].to_string(), r#"{"ok":true}"#);
    assert_eq!((answer["StatusCode"].to_string(), &answer["StatusText"]), ("200".to_owned(), &Value::from("OK")));
    assert_eq!(answer["Headers"]["x-a"].to_string(), r#"["1","2"]"#);
    let got = &server.got()[0];
    assert!(got.starts_with("POST /v1/a?x=1&list=1&list=2&y=a+b&q=connection HTTP/1.1\r\n"), "{got}");
    assert!(got.ends_with("\r\n\r\n{\"a\":1,\"b\":\"connection\"}"), "{got}");
    let has = |line: &str| got.to_ascii_lowercase().contains(&format!("\r\n{line}\r\n"));
    for line in [
        "x-own: connection",
        "x-task: t",
        "x-api-key: s3cret-key",
        "content-type: application/json",
        "range: bytes=0-262144",
        "user-agent: amazon|stepfunctions|httpinvoke|eu-west-1",
    ] {
        assert!(has(line), "{line}: {got}");
    }
    assert!(!got.contains("task\r\n") || !has("x-own: task"), "{got}");
}

#[tokio::test]
async fn a_body_can_be_a_form() {
    let server = Server::start(&["204 No Content\n\n"]);
    let members = r#""Method": "PUT", "RequestBody": {"a": ["x", "y"]},
        "Transform": {"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "REPEAT"}}"#;
    let answer = invoke(KEY, &server, members).await.unwrap();
    assert_eq!((answer["StatusCode"].to_string(), &answer["ResponseBody"]), ("204".to_owned(), &Value::from("")));
    assert!(server.got()[0].ends_with("\r\n\r\na=x&a=y"));
    assert!(server.got()[0].to_ascii_lowercase().contains("content-type: application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn a_status_is_an_error_by_its_number_and_no_answer_shows_a_secret() {
    let server = Server::start(&["404 Not Found\n\nno such thing: {echo}"]);
    let failure = invoke(KEY, &server, r#""Method": "GET""#).await.unwrap_err();
    assert!(
        told(&failure).starts_with("States.Http.StatusCode.404: no such thing: GET /v1/a?x=1"),
        "{}",
        told(&failure)
    );
    assert!(server.got()[0].contains("s3cret-key") && !told(&failure).contains("s3cret-key"));
    assert!(told(&failure).contains("x-api-key: [secret]"));

    let server =
        Server::start(&["200 OK\nX-Echo: s3cret-key\nContent-Type: application/json\n\n{\"k\": [\"{echo}\"]}"]);
    let basic = r#"c = { Basic = { Username = "ann", Password = { File = "key" } } }"#;
    let answer = invoke(basic, &server, r#""Method": "GET""#).await.unwrap().to_string();
    assert!(server.got()[0].contains("Basic YW5uOnMzY3JldC1rZXk="), "{}", server.got()[0]);
    assert!(answer.contains("Basic [secret]") && !answer.contains("s3cret") && !answer.contains("YW5u"), "{answer}");
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_again_when_it_is_refused() {
    let token =
        |t: &str| format!("200 OK\nContent-Type: application/json\n\n{{\"access_token\":\"{t}\",\"expires_in\":3600}}");
    let (first, second) = (token("tok-1"), token("tok-2"));
    let server = Server::start(&[&first, "401 Unauthorized\n\n", &second, "200 OK\n\n\"{echo}\""]);
    let connection = r#"
        [c.OAuth]
        TokenUrl = "http://{server}/token"
        ClientId = "me"
        ClientSecret = { File = "key" }
        Body = { scope = "read" }
    "#;
    let answer = invoke(connection, &server, r#""Method": "GET""#).await.unwrap();
    let got = server.got();
    assert!(
        got[0].starts_with("POST /token ") && got[0].ends_with("grant_type=client_credentials&scope=read"),
        "{got:?}"
    );
    assert!(got[1].contains("Bearer tok-1") && got[3].contains("Bearer tok-2"), "{got:?}");
    assert!(answer["ResponseBody"].to_string().contains("Bearer [secret]"), "{answer}");

    let server = Server::start(&["400 Bad Request\n\n{\"error\": \"invalid_client\"}"]);
    let failure = invoke(connection, &server, r#""Method": "GET""#).await.unwrap_err();
    assert_eq!(
        told(&failure),
        "Events.ConnectionResource.InvalidConnectionState: The connection 'c' cannot be used: the authorization server gave \
         no token (status 400, invalid_client)"
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_it_is() {
    let cases = [
        (r#""Method": "TRACE""#, "The value 'TRACE' of the field 'Method' is none of"),
        (r#""Method": "GET", "Headers": {"Authorization": "x"}"#, "The header 'Authorization' cannot be set"),
        (r#""Method": "GET", "Headers": {"X-Amz-Date": "x"}"#, "The header 'X-Amz-Date' cannot be set"),
        (r#""Method": "GET", "Headers": {"X-A": "a\r\nX-B: c"}"#, "has characters that no header has"),
        (r#""Method": "GET", "Body": 1"#, "The field \"Body\" is not supported by Step Functions"),
        (
            r#""Method": "POST", "RequestBody": {}, "Transform": {"RequestBodyEncoding": "XML"}"#,
            "The value 'XML' of 'RequestBodyEncoding'",
        ),
    ];
    for (members, why) in cases {
        let server = Server::start(&[]);
        let failure = invoke(KEY, &server, members).await.unwrap_err();
        let told = told(&failure);
        assert!(told.starts_with("States.Runtime: The Parameters '{") && told.contains(why), "{told}");
    }
    let server = Server::start(&["200 OK\nContent-Type: image/png\n\nx"]);
    let failure = invoke(KEY, &server, r#""Method": "GET""#).await.unwrap_err();
    assert!(told(&failure).starts_with("States.Runtime: The response has the content type image/png"));
    let server = Server::start(&["302 Found\nLocation: http://127.0.0.1:1/\n\n"]);
    let failure = invoke(KEY, &server, r#""Method": "GET""#).await.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("States.Http.StatusCode.302"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_socket_error() {
    let server = Server::start(&[]);
    // Nobody listens any more once the server's thread has ended.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Server { address: free, got: server.got.clone() };
    let failure = invoke(KEY, &gone, r#""Method": "GET""#).await.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("States.Http.Socket"), "{failure:?}");
    assert!(!told(&failure).contains("s3cret"), "{failure:?}");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_told_by_its_place() {
    let server = Server::start(&[]);
    let connection = r#"c = { ApiKey = { Name = "k", Value = { Env = "ASL_TEST_NOT_SET" } } }"#;
    let failure = invoke(connection, &server, r#""Method": "GET""#).await.unwrap_err();
    let words = "The connection 'c' cannot be used: the variable ASL_TEST_NOT_SET is not set";
    assert_eq!(told(&failure), format!("Events.ConnectionResource.InvalidConnectionState: {words}"));
}

/// What a definition writes down is refused when it is loaded.
fn unsupported(connections: &str, private: &[&str], endpoint: &str, connection: &str) -> Option<String> {
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "End": true, "Resource": "arn:aws:states:::http:invoke",
        "Parameters": {{"ApiEndpoint": "{endpoint}", "Method": "GET", "Authentication": {{"ConnectionArn": "{connection}"}}}}}}}}}}"#
    );
    let loaded = asl_syntax::load(&Source::new("a", definition), &Options::default());
    let private = private.iter().map(|host| (*host).to_owned()).collect();
    let backends = backends(connections, Path::new("/"), private);
    let missing = backends.unsupported(loaded.definition.as_ref().unwrap()).pop()?.missing;
    Some(missing.to_string())
}

#[tokio::test]
async fn private_addresses_need_a_line_in_the_project_file() {
    let to = |endpoint: &str| unsupported(KEY, &["intranet.example", "127.0.0.1:8080"], endpoint, ARN);
    for endpoint in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1:8081/",
    ] {
        let refused = to(endpoint).unwrap_or_default();
        assert!(refused.contains("is a private address") && refused.contains("PrivateHosts"), "{endpoint}: {refused}");
    }
    assert!(to("http://api.example/").unwrap().contains("does not begin with https://"));
    assert!(to("ftp://api.example/").unwrap().contains("is not an address of the web"));
    for endpoint in ["https://api.example/", "http://127.0.0.1:8080/x", "http://intranet.example:99/x"] {
        assert_eq!(to(endpoint), None, "{endpoint}");
    }
    // A name that leads to a private address is found out when the connection is made.
    let backends = backends(KEY, Path::new("/"), vec![]);
    let backend = backends.resolve(&Resource::parse("arn:aws:states:::http:invoke").unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "s3cret-key").unwrap();
    drop(backend);
    let connections = format!(r#"c = {{ ApiKey = {{ Name = "k", Value = {{ File = "{}" }} }} }}"#, file.display());
    let backends = self::backends(&connections, Path::new("/"), vec![]);
    let backend = backends.resolve(&Resource::parse("arn:aws:states:::http:invoke").unwrap()).unwrap();
    let parameters = format!(
        r#"{{"ApiEndpoint": "https://localhost:1/", "Method": "GET", "Authentication": {{"ConnectionArn": "{ARN}"}}}}"#
    );
    let called = backend.call(&Call { parameters: &parameters.parse().unwrap(), key: "k", role_arn: None }).await;
    let failure = told(&called.unwrap_err());
    assert!(
        failure.starts_with("States.Http.Socket:") && failure.contains("localhost is a private address"),
        "{failure}"
    );
}

#[test]
fn a_connection_must_be_declared() {
    let refused =
        unsupported(KEY, &[], "https://api.example/", "arn:aws:events:us-east-1:1:connection/other/1").unwrap();
    assert_eq!(refused, "the connection 'other' is not declared: add [connections.other] to the project file");
    let refused = unsupported("", &[], "https://api.example/", ARN).unwrap();
    assert!(refused.contains("add [connections.NAME] to the project file"), "{refused}");
}
