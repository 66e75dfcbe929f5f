//! The sections `[aws]`, `[backends]`, `[http]` and `[connections]`.

use super::file::{AwsSpec, File};
use super::read::Reader;
use asl_aws::{Settings, model};
use asl_task::aws::{Aws, Choices};
use asl_task::http::Http;

impl Reader<'_> {
    /// What the file says of AWS.
    pub(super) fn aws(&mut self, file: &File) -> Aws {
        let choices = Choices::new(file.backends.clone()).unwrap_or_else(|errors| {
            for error in errors {
                // The key names the service, and the value what is to run it.
                let is_value = error.problem.ends_with("is not embedded");
                let place = format!("backends.{}", error.service);
                if is_value {
                    self.report(&place, error.problem, error.hint)
                } else {
                    self.report_key(&place, error.problem, error.hint)
                }
            }
            Choices::default()
        });
        let settings = file.aws.as_ref().map(|spec| self.settings(spec));
        Aws::new(choices, settings.unwrap_or_default())
    }

    /// What the file says of HTTP tasks.
    pub(super) fn http(&mut self, file: &File, region: &str) -> Http {
        for (name, connection) in &file.connections {
            for (place, problem, help) in connection.problems() {
                let dot = if place.is_empty() { "" } else { "." };
                self.report(&format!("connections.{name}{dot}{place}"), problem, help);
            }
        }
        for (index, host) in file.http.private_hosts.iter().enumerate() {
            if host.is_empty() || host.contains(['/', '*', ' ', '@']) {
                let help = "write a host, with a port where only that one is meant: \"127.0.0.1:8080\"";
                self.report(&format!("http.PrivateHosts[{index}]"), format!("`{host}` is not a host"), help);
            }
        }
        Http::new(file.connections.clone(), self.root, file.http.private_hosts.clone(), region)
    }

    fn settings(&mut self, spec: &AwsSpec) -> Settings {
        let plain = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if spec.region.as_ref().is_some_and(|region| !plain(region)) {
            self.report("aws.Region", "this is not the name of a region", "write it as AWS does: \"eu-central-1\"");
        }
        let addresses = spec.endpoints.iter().map(|(name, address)| (format!("aws.endpoints.{name}"), address));
        let addresses =
            addresses.chain(spec.endpoint_url.iter().map(|address| ("aws.EndpointUrl".to_owned(), address)));
        for (place, address) in addresses.collect::<Vec<_>>() {
            if !asl_aws::endpoint::is_address(address) {
                self.report(&place, "this is not an address", "begin it with http:// or https://, and name a host");
            }
        }
        for name in spec.endpoints.keys() {
            if model::service(name).is_none() && model::resource_of(name).is_none() {
                let help = "write the service as a Resource has it after aws-sdk: `dynamodb`";
                self.report(&format!("aws.endpoints.{name}"), format!("`{name}` is no service"), help);
            }
        }
        let mut settings = Settings {
            region: spec.region.clone(),
            profile: spec.profile.clone(),
            endpoint_url: spec.endpoint_url.clone(),
            endpoints: spec.endpoints.clone(),
            ..Settings::default()
        };
        if let Some(seconds) = spec.timeout {
            if !(1..=900).contains(&seconds) {
                self.report("aws.Timeout", format!("{seconds} is out of range"), "use 1 to 900 seconds");
            }
            settings.limits.timeout_ms = seconds.saturating_mul(1000);
        }
        if let Some(attempts) = spec.max_attempts {
            if !(1..=10).contains(&attempts) {
                self.report("aws.MaxAttempts", format!("{attempts} is out of range"), "use 1 to 10");
            }
            settings.max_attempts = attempts;
        }
        settings.limits.max_response_bytes = spec.max_response_bytes.unwrap_or(settings.limits.max_response_bytes);
        settings
    }
}
