//! Where a request goes, and what it is signed for.

use crate::model::{Operation, Service, partition_of};
use crate::protocol::Request;
use crate::sign::Style;
use asl_value::Value;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// https, or http.
    pub secure: bool,
    /// The host, with a port where it is not the usual one.
    pub host: String,
    /// What stands before every path; or empty.
    pub base: String,
    /// The service's name in signatures.
    pub signing_name: String,
    /// The region in signatures.
    pub signing_region: String,
    /// What is signed.
    pub style: Style,
}

/// Why there is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// An address that is none.
    #[error("'{0}' is not an address: it must begin with http:// or https://, and name a host")]
    Address(String),
    /// A region that is none.
    #[error("'{0}' is not a region")]
    Region(String),
    /// A part of a host that parameters give, and that is none.
    #[error("'{0}' cannot stand in a host's name")]
    Label(String),
}

impl Endpoint {
    /// The endpoint of a service in a region by AWS's rules, or `address` in its place.
    ///
    /// # Errors
    /// A region or an address that is none.
    pub fn new(
        service: &Service,
        operation: &Operation,
        region: &str,
        address: Option<&str>,
    ) -> Result<Endpoint, EndpointError> {
        // A region becomes part of a host: it must not be able to name another one.
        let plain = |text: &str| {
            !text.is_empty() && text.len() < 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !plain(region) {
            return Err(EndpointError::Region(region.to_owned()));
        }
        let partition = partition_of(region);
        let scope = format!("partition {}", partition.id);
        let fits = |scopes: &str| service.endpoints.iter().find(|r| *r.scope == *scopes);
        let rule = fits(region).or_else(|| fits(&scope)).or_else(|| fits(""));
        let or = |text: Option<&str>, usual: &str| text.filter(|t| !t.is_empty()).unwrap_or(usual).to_owned();
        let style = match operation.traits.unsigned_body {
            _ if matches!(&*service.signing_name, "s3" | "s3-outposts" | "s3-object-lambda") => Style::S3,
            true => Style::UnsignedBody,
            false => Style::Usual,
        };
        let usual = format!("{}.{{region}}.{{suffix}}", service.endpoint_prefix);
        let host = rule.map_or(usual.as_str(), |r| &r.host);
        let mut endpoint = Endpoint {
            secure: true,
            host: host.replace("{region}", region).replace("{suffix}", partition.suffix),
            base: String::new(),
            signing_name: or(rule.map(|r| &*r.signing_name), &service.signing_name),
            signing_region: or(rule.map(|r| &*r.signing_region), region),
            style,
        };
        if let Some(address) = address {
            endpoint.at(address)?;
            endpoint.signing_region = or(rule.map(|r| &*r.signing_region), region);
        }
        Ok(endpoint)
    }

    /// Sends what is meant for it to an address of the user's own.
    pub(crate) fn at(&mut self, address: &str) -> Result<(), EndpointError> {
        (self.secure, self.host, self.base) = parse(address)?;
        Ok(())
    }

    /// Puts what a request's parameters say into the host: a prefix, an S3 bucket, an access point. An address of the
    /// user's own keeps its host; there the bucket stays in the path.
    ///
    /// # Errors
    /// A text that cannot stand in a host's name.
    pub fn address(
        &mut self,
        service: &Service,
        parameters: &Value,
        request: &mut Request,
        own: bool,
    ) -> Result<(), EndpointError> {
        if own {
            return Ok(());
        }
        let label = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        };
        if !request.host_prefix.is_empty() {
            if !label(request.host_prefix.trim_end_matches('.')) {
                return Err(EndpointError::Label(request.host_prefix.clone()));
            }
            self.host.insert_str(0, &request.host_prefix);
        }
        if &*service.resource == "s3"
            && let Some(bucket) = parameters["Bucket"].as_str()
        {
            let in_path = format!("/{}", crate::uri::encode(bucket, b""));
            let Some(rest) = request.path.strip_prefix(&in_path).map(str::to_owned) else { return Ok(()) };
            if let Some(host) = access_point(bucket, &self.signing_region) {
                self.host = host;
            } else if dns_label(bucket) {
                self.host = format!("{bucket}.{}", self.host);
            } else {
                return Ok(());
            }
            request.path = if rest.is_empty() { "/".to_owned() } else { rest };
        }
        Ok(())
    }
}

/// A bucket's name that can be a label before S3's host, under its certificate.
fn dns_label(bucket: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (3..=63).contains(&bucket.len()) && bucket.bytes().all(good) && !bucket.starts_with('-') && !bucket.ends_with('-')
}

/// The host of an access point's ARN.
fn access_point(arn: &str, region: &str) -> Option<String> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
    let (_, service, of, account) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let name = parts.next()?.strip_prefix("accesspoint")?.trim_start_matches([':', '/']);
    let region = if of.is_empty() { region } else { of };
    let plain = |t: &str| t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let good = service == "s3" && !name.is_empty() && plain(name) && plain(account) && plain(region);
    good.then(|| format!("{name}-{account}.s3-accesspoint.{region}.{}", partition_of(region).suffix))
}

/// Whether a text is an address that requests can be sent to.
pub fn is_address(text: &str) -> bool {
    parse(text).is_ok()
}

/// The parts of an address: https or not, host and port, path without its last `/`.
fn parse(address: &str) -> Result<(bool, String, String), EndpointError> {
    let bad = || EndpointError::Address(address.to_owned());
    let url = reqwest::Url::parse(address).map_err(|_| bad())?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(bad()),
    };
    let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(bad)?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((secure, host, url.path().trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service;

    fn at(name: &str, action: &str, region: &str) -> (String, String) {
        let service = service(name).unwrap();
        let endpoint = Endpoint::new(&service, service.operation(action).unwrap(), region, None).unwrap();
        (endpoint.host, endpoint.signing_region)
    }

    #[test]
    fn services_are_where_aws_says() {
        let cases = [
            ("dynamodb", "listTables", "eu-central-1", "dynamodb.eu-central-1.amazonaws.com", "eu-central-1"),
            ("dynamodb", "listTables", "cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("iam", "listUsers", "eu-central-1", "iam.amazonaws.com", "us-east-1"),
            ("route53", "listHostedZones", "eu-west-1", "route53.amazonaws.com", "us-east-1"),
            ("sfn", "listStateMachines", "us-east-1", "states.us-east-1.amazonaws.com", "us-east-1"),
            ("s3", "listBuckets", "eu-west-1", "s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ];
        for (name, action, region, host, signing) in cases {
            assert_eq!(at(name, action, region), (host.to_owned(), signing.to_owned()), "{name}");
        }
    }

    #[test]
    fn what_is_no_region_or_address_is_refused() {
        let s3 = service("s3").unwrap();
        let list = s3.operation("listBuckets").unwrap();
        for region in ["", "a/b", "evil.example#", "eu west"] {
            assert!(Endpoint::new(&s3, list, region, None).is_err(), "{region}");
        }
        for address in ["", "localhost:4566", "ftp://x", "file:///etc"] {
            assert!(Endpoint::new(&s3, list, "eu-west-1", Some(address)).is_err(), "{address}");
        }
        let own = Endpoint::new(&s3, list, "eu-west-1", Some("http://127.0.0.1:9000/base/")).unwrap();
        assert_eq!((own.secure, own.host.as_str(), own.base.as_str()), (false, "127.0.0.1:9000", "/base"));
    }
}
