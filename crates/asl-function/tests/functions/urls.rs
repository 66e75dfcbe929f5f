//! Functions that are an HTTP URL, against a small server.

use std::{convert::Infallible, sync::Arc, time::Duration};

use asl_function::{Code, FunctionSpec, InvokeError};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Failure, Harness, ID, invocation};

const EMULATOR: &str = "/2015-03-31/functions/function/invocations";

type Reply = (u16, Vec<(&'static str, &'static str)>, Bytes);

/// A server that answers everything with `reply`, or with the request itself if there is none.
async fn server(reply: Option<Reply>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let reply = Arc::new(reply);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let reply = Arc::clone(&reply);
            let service = service_fn(move |request| respond(Arc::clone(&reply), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    base
}

async fn respond(reply: Arc<Option<Reply>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let Some((status, headers, text)) = &*reply else {
        let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
        let seen = json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "type": header("content-type"),
            "id": header("x-amzn-requestid"),
            "key": header("idempotency-key"),
            "context": header("x-amz-client-context"),
            "body": serde_json::from_slice::<Value>(&body).expect("JSON"),
        });
        return Ok(Response::new(Full::from(seen.to_string())));
    };
    let mut response = Response::builder().status(*status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Full::from(text.clone())).expect("a response"))
}

fn spec(url: String) -> FunctionSpec {
    FunctionSpec::new("F", Code::Url { url })
}

#[tokio::test]
async fn the_payload_is_posted_with_the_request_id() {
    let functions = Harness::new(spec(server(None).await + EMULATOR));
    let mut call = invocation(json!({"fareId": 5}));
    call.client_context = Some("{}".to_owned());
    let body = functions.functions.invoke("F", call).await.expect("a result");
    let expected = json!({
        "method": "POST",
        "path": EMULATOR,
        "type": "application/json",
        "id": ID,
        "key": ID,
        "context": "e30=",
        "body": {"fareId": 5},
    });
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), expected);
}

#[tokio::test]
async fn answers_are_told_from_errors_as_aws_does() {
    let refused = |message: &str, status: u16, code: &str| {
        format!(
            "{message} (Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: {ID}; Proxy: null)"
        )
    };
    let error = r#"{"errorType":"Declined","errorMessage":"no"}"#;
    let timed_out = json!({
        "errorType": "Sandbox.Timedout",
        "errorMessage": format!("RequestId: {ID} Error: Task timed out after 3.00 seconds"),
    });
    let function_error = vec![("x-amz-function-error", "Unhandled")];
    let service_error = vec![("x-amzn-errortype", "KMSDisabledException:http://internal/")];
    let unknown = "The cause could not be determined because Lambda did not return an error type. Returned payload: ";
    let statuses = |status: u16| format!("The function answered with status {status}");
    type Expected = Result<Value, (&'static str, String)>;
    let cases: Vec<(&str, u16, Vec<_>, &str, Expected)> = vec![
        ("/f", 200, vec![], r#"{"ok":true}"#, Ok(json!({"ok": true}))),
        ("/f", 204, vec![], "", Ok(Value::Null)),
        // An answer may look like an error; only the emulator's path means one.
        ("/f", 200, vec![], error, Ok(json!({"errorType": "Declined", "errorMessage": "no"}))),
        (EMULATOR, 200, vec![], error, Err(("Declined", error.into()))),
        (EMULATOR, 200, vec![], "Task timed out after 3.00 seconds", Err(("Sandbox.Timedout", timed_out.to_string()))),
        (EMULATOR, 502, vec![], error, Err(("Declined", error.into()))),
        ("/f", 200, function_error.clone(), error, Err(("Declined", error.into()))),
        ("/f", 200, function_error, "{}", Err(("Lambda.Unknown", format!("{unknown}{{}}")))),
        ("/f", 400, vec![], error, Err(("Declined", error.into()))),
        (
            "/f",
            502,
            service_error,
            r#"{"Message":"the key is disabled"}"#,
            Err(("Lambda.KMSDisabledException", refused("the key is disabled", 502, "KMSDisabledException"))),
        ),
        ("/f", 404, vec![], "", Err(("Lambda.ResourceNotFoundException", refused(&statuses(404), 404, "null")))),
        ("/f", 429, vec![], "slow", Err(("Lambda.TooManyRequestsException", refused(&statuses(429), 429, "null")))),
        ("/f", 503, vec![], "{}", Err(("Lambda.ServiceException", refused(&statuses(503), 503, "null")))),
        ("/f", 403, vec![], "", Err(("Lambda.AWSLambdaException", refused(&statuses(403), 403, "null")))),
        (
            "/f",
            302,
            vec![("location", "/elsewhere")],
            "",
            Err(("Lambda.AWSLambdaException", refused(&statuses(302), 302, "null"))),
        ),
        (
            "/f",
            200,
            vec![],
            "<html>",
            Err((
                "Lambda.Unknown",
                "The function's answer is not JSON (expected value at line 1 column 1). Returned payload: <html>"
                    .into(),
            )),
        ),
    ];
    for (path, status, headers, body, expected) in cases {
        let base = server(Some((status, headers, Bytes::from_static(body.as_bytes())))).await;
        let functions = Harness::new(spec(base + path));
        let result = functions.functions.invoke("F", invocation(json!({}))).await;
        let result = result.map(|body| serde_json::from_slice::<Value>(&body).expect("JSON"));
        let expected = expected.map_err(|(error, cause)| InvokeError::Failed { error: error.into(), cause });
        assert_eq!(result, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_the_end() {
    let base = server(Some((200, vec![], Bytes::from(vec![b'1'; 6_291_557])))).await;
    let failure = Harness::new(spec(base)).invoke(json!({})).await.expect_err("too large");
    let message = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
    assert_eq!(failure.message(), ("Function.ResponseSizeTooLarge", message));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_an_sdk_client_exception() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = listener.local_addr().expect("an address");
    drop(listener);
    let failure = Harness::new(spec(format!("http://{gone}/f"))).invoke(json!({})).await.expect_err("no server");
    assert_eq!(failure.error, "Lambda.SdkClientException");
    let cause = failure.cause.as_str().expect("a sentence");
    assert!(cause.starts_with("Unable to execute HTTP request: ") && cause.contains("refused"), "{cause}");
}

/// A server for `https://localhost`, with the certificate of `tests/tls`. Returns its port.
#[cfg(target_os = "linux")]
async fn tls_server() -> u16 {
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    use tokio_rustls::{TlsAcceptor, rustls};

    let certificate = CertificateDer::from_pem_file(tls_file("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(tls_file("server-key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request| respond(Arc::new(None), request));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    port
}

#[cfg(target_os = "linux")]
fn tls_file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// The client runs in a process of its own, whose trusted authority is that of the tests.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn https_works_with_the_authorities_of_the_system_and_no_others() {
    let url = format!("https://localhost:{}/f", tls_server().await);
    for (authority, expected) in [("authority.pem", "answered"), ("server.pem", "Lambda.SdkClientException")] {
        let output = tokio::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "urls::calls_https", "--ignored", "--nocapture"])
            .env("SSL_CERT_FILE", tls_file(authority))
            .env_remove("SSL_CERT_DIR")
            .env("URL_TO_CALL", &url)
            .output()
            .await
            .expect("a process");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("result: {expected}")), "{text}");
    }
}

#[tokio::test]
#[ignore = "run by https_works_with_the_authorities_of_the_system_and_no_others"]
async fn calls_https() {
    let functions = Harness::new(spec(std::env::var("URL_TO_CALL").expect("a URL")));
    match functions.invoke(json!({"fareId": 5})).await {
        Ok(seen) if seen["body"] == json!({"fareId": 5}) => println!("result: answered"),
        other => println!("result: {}", other.expect_err("an error").error),
    }
}

#[tokio::test]
async fn a_silent_endpoint_times_out_and_frees_its_place() {
    // Accepts connections into its backlog and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut spec = spec(format!("http://{}/f", listener.local_addr().expect("an address")));
    (spec.timeout_ms, spec.concurrency) = (120, 1);
    let functions = Harness::new(spec);
    let (one, other) = tokio::join!(functions.invoke(json!({})), functions.invoke(json!({})));
    for failure in [one, other].map(|result: Result<Value, Failure>| result.expect_err("a timeout")) {
        let message = format!("RequestId: {ID} Error: Task timed out after 0.12 seconds");
        assert_eq!(failure.message(), ("Sandbox.Timedout", message.as_str()));
    }
    functions.functions.shutdown().await;
    let late =
        tokio::time::timeout(Duration::from_secs(5), functions.functions.invoke("F", invocation(json!({})))).await;
    assert_eq!(late, Ok(Err(InvokeError::ShutDown)));
}
