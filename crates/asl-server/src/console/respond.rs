//! Answers to browsers: pages, assets, redirects, downloads; each with the headers that keep a browser from doing more than is meant.

use super::html::Html;
use crate::http::Answered;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// What is embedded: its name, kind, bytes.
const ASSETS: [(&str, &str, &[u8]); 3] = [
    ("console.css", "text/css; charset=utf-8", include_bytes!("assets/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_bytes!("assets/console.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
];

/// Addresses of the assets, each with the hash of its bytes, so that a browser keeps them for good.
static ADDRESSES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let address = |(name, _, bytes): &(&str, &str, &[u8])| {
        let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("/console/assets/{hash}-{name}")
    };
    ASSETS.iter().map(address).collect()
});

/// The address of an asset.
pub(super) fn asset_address(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|(known, ..)| *known == name);
    at.and_then(|at| ADDRESSES.get(at)).map_or("", String::as_str)
}

/// The asset at an address.
pub(super) fn asset(address: &str) -> Option<Answered> {
    let at = ADDRESSES.iter().position(|known| known == address)?;
    let (_, kind, bytes) = ASSETS[at];
    let mut response = plain(StatusCode::OK, kind, Bytes::from_static(bytes));
    set(&mut response, CACHE_CONTROL, "public, max-age=31536000, immutable");
    Some(response)
}

/// A page. Styles within pictures are let in by their hash.
pub(super) fn page(status: u16, html: Html) -> Answered {
    let text = html.document();
    let styles = styles(&text);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, "text/html; charset=utf-8", Bytes::from(text));
    set(&mut response, CONTENT_SECURITY_POLICY, &policy);
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// Hashes of the style sheets within a page: those of the pictures, which `asl-render` writes. Nothing else can be a `<style>`, as
/// every other text is escaped.
fn styles(page: &str) -> String {
    let mut hashes: Vec<String> = page
        .split("<style>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</style>"))
        .map(|(style, _)| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(style))))
        .collect();
    hashes.sort();
    hashes.dedup();
    hashes.concat()
}

/// The browser is to go on elsewhere in the console.
pub(super) fn see_other(to: &str) -> Answered {
    let mut response = plain(StatusCode::SEE_OTHER, "text/plain", Bytes::new());
    set(&mut response, LOCATION, to);
    response
}

/// A file to keep: never shown in the place of a page.
pub(super) fn download(name: &str, text: String) -> Answered {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let mut response = plain(StatusCode::OK, "application/json", Bytes::from(text));
    set(&mut response, CONTENT_DISPOSITION, &format!("attachment; filename=\"{safe}\""));
    set(&mut response, CACHE_CONTROL, "no-store");
    set(&mut response, CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    response
}

fn plain(status: StatusCode, kind: &str, body: Bytes) -> Answered {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, kind);
    set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut response, X_FRAME_OPTIONS, "DENY");
    set(&mut response, REFERRER_POLICY, "same-origin");
    response
}

pub(super) fn set(response: &mut Answered, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
