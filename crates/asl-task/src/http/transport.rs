//! How a request goes out: directly, over TLS, to public addresses only; without redirects, and bounded in time and size.

use super::address::is_private;
use super::request::Outgoing;
use asl_core::Failure;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the whole exchange may take (AWS).
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest response that is read, in bytes; what is longer than a payload fails later, by AWS's name.
const MAX_RESPONSE: usize = 1 << 20;

/// A response.
pub(super) struct Incoming {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Incoming {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Why an address is not called.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) hint: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.hint)
    }
}

/// Sends requests. Connections are kept and shared.
#[derive(Default)]
pub(super) struct Transport {
    private_hosts: Vec<String>,
    public: OnceLock<Result<reqwest::Client, String>>,
    private: OnceLock<Result<reqwest::Client, String>>,
}

impl Transport {
    pub(super) fn new(private_hosts: Vec<String>) -> Transport {
        let private_hosts = private_hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Transport { private_hosts, ..Transport::default() }
    }

    /// Whether the project file lets a host be private.
    fn may_be_private(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        self.private_hosts.iter().any(|allowed| *allowed == host || *allowed == with_port)
    }

    /// An address that may be called.
    ///
    /// # Errors
    /// It is none, is not https, or is written as a private one.
    pub(super) fn url(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|e| Refused {
            message: format!("`{text}` is not an address: {e}"),
            hint: "write it in full: https://api.example/v1".to_owned(),
        })?;
        self.allowed(&url)?;
        Ok(url)
    }

    /// As [`Transport::url`], for a text that may be checked before anything runs.
    pub(super) fn check(&self, text: &str) -> Result<(), Refused> {
        self.url(text).map(drop)
    }

    fn allowed(&self, url: &Url) -> Result<(), Refused> {
        let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "https" | "http")) else {
            let message = format!("`{url}` is not an address of the web");
            return Err(Refused { message, hint: "begin it with https://".to_owned() });
        };
        if self.may_be_private(url) {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(Refused {
                message: format!("the address of {host} does not begin with https://"),
                hint: format!("use https, or add \"{host}\" to PrivateHosts under [http] in the project file"),
            });
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(is_private) {
            return Err(private(host));
        }
        Ok(())
    }

    /// Sends a request; redirects are not followed.
    ///
    /// # Errors
    /// `States.Http.Socket` without the address, which may have secrets; `States.Runtime` for an address that is refused.
    pub(super) async fn send(&self, request: &Outgoing) -> Result<Incoming, Failure> {
        self.allowed(&request.url).map_err(|refused| Failure::new("States.Runtime", refused.to_string()))?;
        let client = if self.may_be_private(&request.url) {
            self.private.get_or_init(|| client(None))
        } else {
            self.public.get_or_init(|| client(Some(Arc::new(PublicOnly))))
        };
        let client = client.as_ref().map_err(|e| socket(e.clone()))?;
        let mut sent = client.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        let broken = |error: reqwest::Error| socket(reason(&error.without_url()));
        let mut received = sent.send().await.map_err(broken)?;
        let headers = received.headers().iter();
        let headers = headers.map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        let mut answer = Incoming { status: received.status().as_u16(), headers: headers.collect(), body: vec![] };
        while let Some(chunk) = received.chunk().await.map_err(broken)? {
            if answer.body.len() + chunk.len() > MAX_RESPONSE {
                let cause = format!("The response is longer than {MAX_RESPONSE} bytes");
                return Err(Failure::new("States.DataLimitExceeded", cause));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

fn private(host: &str) -> Refused {
    Refused {
        message: format!("{host} is a private address"),
        hint: format!("add \"{host}\" to PrivateHosts under [http] in the project file to allow it"),
    }
}

fn client(resolver: Option<Arc<PublicOnly>>) -> Result<reqwest::Client, String> {
    // A proxy would look names up itself, and lead where this machine's own network does not.
    let builder = asl_aws::system::http_client().connect_timeout(CONNECT).timeout(TIMEOUT).no_proxy();
    let builder = match resolver {
        Some(resolver) => builder.dns_resolver(resolver),
        None => builder,
    };
    builder.build().map_err(|e| reason(&e))
}

fn socket(why: impl Into<String>) -> Failure {
    Failure::new("States.Http.Socket", why.into())
}

/// An error with what lies behind it.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// Looks names up and leaves private addresses out, when the connection is made: a name cannot lead there later.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.into_iter().filter(|address| !is_private(address.ip())).collect();
            if public.is_empty() {
                return Err(private(name.as_str()).to_string().into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
