//! The sections `[aws]` and `[backends]`.

use super::file::{AwsSpec, File};
use super::read::Reader;
use asl_aws::{Settings, model};
use asl_task::aws::{Aws, Choices};

impl Reader<'_> {
    /// What the file says of AWS.
    pub(super) fn aws(&mut self, file: &File) -> Aws {
        let choices = Choices::new(file.backends.clone()).unwrap_or_else(|errors| {
            for error in errors {
                self.report(&format!("backends.{}", error.service), error.problem, error.hint);
            }
            Choices::default()
        });
        let settings = file.aws.as_ref().map(|spec| self.settings(spec));
        Aws::new(choices, settings.unwrap_or_default())
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
