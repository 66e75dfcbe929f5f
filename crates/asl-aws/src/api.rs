//! Requests to APIs behind API Gateway: no operation of a model, but an address of AWS's that takes the same signatures.

use crate::client::{CallError, Client, Signer};
use crate::credentials::Role;
use crate::endpoint::Endpoint;
use crate::protocol::Response;
use crate::sign::Style;
use crate::system::HttpRequest;
use crate::uri;

/// A request to an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// `GET`.
    pub method: &'static str,
    /// The API's own host, `a1b2c3.execute-api.eu-central-1.amazonaws.com`.
    pub host: String,
    /// The path, not encoded but for what has a percent sign already; it begins with a slash.
    pub path: String,
    /// The query's parameters.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: String,
    /// Whether it is signed.
    pub signed: bool,
}

impl ApiRequest {
    /// The region of its host; `None` where the host is not one that API Gateway gives.
    pub fn region(&self) -> Option<&str> {
        let (api, rest) = self.host.split_once(".execute-api.")?;
        let (region, suffix) = rest.split_once('.')?;
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_aws = matches!(suffix, "amazonaws.com" | "amazonaws.com.cn");
        (plain(api) && plain(region) && is_aws).then_some(region)
    }
}

impl Client {
    /// Sends a request to an API once: only its owner knows whether it may be repeated. Where API Gateway has an address of the
    /// user's own, it goes there.
    ///
    /// # Errors
    /// No response, no credentials, or a host that is none of API Gateway's. Every status is a response.
    pub async fn call_api(&self, request: &ApiRequest, role: Option<&Role>) -> Result<Response, CallError> {
        let Some(region) = request.region() else {
            return Err(CallError::Unsupported(format!("'{}' is not the host of an API", request.host)));
        };
        let own = match crate::model::service("apigateway") {
            Some(service) => self.address(&service).await,
            None => None,
        };
        let mut endpoint = Endpoint {
            secure: true,
            host: request.host.clone(),
            base: String::new(),
            signing_name: "execute-api".to_owned(),
            signing_region: region.to_owned(),
            style: Style::Usual,
        };
        if let Some(address) = own {
            endpoint.at(&address)?;
        }
        let pairs = request.query.iter().map(|(n, v)| format!("{}={}", uri::encode(n, b""), uri::encode(v, b"")));
        let unsigned = HttpRequest {
            method: request.method,
            secure: endpoint.secure,
            host: endpoint.host.clone(),
            path: format!("{}{}", endpoint.base, uri::encode(&request.path, b"/%")),
            query: pairs.collect::<Vec<_>>().join("&"),
            headers: request.headers.clone(),
            body: request.body.clone().into(),
        };
        let signer = if request.signed { role.map_or(Signer::Own, Signer::Role) } else { Signer::Nobody };
        self.once(&endpoint, &unsigned, signer).await
    }
}
