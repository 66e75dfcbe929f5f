//! The files `~/.aws/config` and `~/.aws/credentials`.

use crate::system::System;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The settings of one section. Those of an indented block are under `outer.inner`.
pub(crate) type Section = BTreeMap<String, String>;

/// What the files say.
#[derive(Default)]
pub(crate) struct Profiles {
    profiles: BTreeMap<String, Section>,
    sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
}

/// The files have at most so many settings.
const MAX_SETTINGS: usize = 100_000;

impl Profiles {
    /// Reads both files; one that is not there is empty. What stands in `credentials` comes before `config`.
    pub(crate) async fn read(system: &dyn System) -> Profiles {
        let mut made = Profiles::default();
        for (variable, usual, config) in
            [("AWS_CONFIG_FILE", ".aws/config", true), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false)]
        {
            let own = system.variable(variable).map(PathBuf::from);
            let Some(path) = own.or_else(|| Some(system.home()?.join(usual))) else { continue };
            if let Ok(bytes) = system.read(&path).await {
                made.take(&String::from_utf8_lossy(&bytes), config);
            }
        }
        made
    }

    fn take(&mut self, text: &str, config: bool) {
        let mut section: Option<&mut Section> = None;
        let mut outer = String::new();
        for line in text.lines().take(MAX_SETTINGS) {
            let indented = line.starts_with([' ', '\t']);
            let line = line.split(" #").next().unwrap_or("").split(" ;").next().unwrap_or("").trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = self.section(name.trim(), config);
                outer.clear();
                continue;
            }
            let (Some(section), Some((key, value))) = (section.as_deref_mut(), line.split_once('=')) else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if !indented {
                outer = if value.is_empty() { format!("{key}.") } else { String::new() };
            }
            let key = if indented { format!("{outer}{key}") } else { key };
            section.insert(key, value.to_owned());
        }
    }

    fn section(&mut self, name: &str, config: bool) -> Option<&mut Section> {
        let name = name.split_whitespace().collect::<Vec<_>>();
        match name.as_slice() {
            ["profile", name] if config => Some(self.profiles.entry((*name).to_owned()).or_default()),
            ["sso-session", name] if config => Some(self.sessions.entry((*name).to_owned()).or_default()),
            ["services", name] if config => Some(self.services.entry((*name).to_owned()).or_default()),
            ["default"] => Some(self.profiles.entry("default".to_owned()).or_default()),
            [name] if !config => Some(self.profiles.entry((*name).to_owned()).or_default()),
            _ => None,
        }
    }

    /// A profile.
    pub(crate) fn profile(&self, name: &str) -> Option<&Section> {
        self.profiles.get(name)
    }

    /// A single sign-on that profiles share.
    pub(crate) fn session(&self, name: &str) -> Option<&Section> {
        self.sessions.get(name)
    }

    /// The address that a profile has for a service (its id in lower case, blanks as `_`), or for all.
    pub(crate) fn address(&self, profile: &Section, service: &str) -> Option<String> {
        let section = profile.get("services").and_then(|name| self.services.get(name));
        let own = section.and_then(|s| s.get(&format!("{service}.endpoint_url")));
        own.or_else(|| profile.get("endpoint_url")).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_sessions_and_blocks_are_read() {
        let mut made = Profiles::default();
        let config = "# c\n[default]\nregion = eu-west-1 # here\ns3 =\n  max = 1\n[profile dev]\nRole_Arn=arn\nservices = local\n\
                      [services local]\ndynamodb =\n  endpoint_url = http://a\n[sso-session x]\nsso_region=y\n[other]\na=b\n";
        made.take(config, true);
        made.take("[dev]\naws_access_key_id = AK\nnonsense\n", false);
        let dev = made.profile("dev").unwrap();
        assert_eq!((dev["role_arn"].as_str(), dev["aws_access_key_id"].as_str()), ("arn", "AK"));
        let default = made.profile("default").unwrap();
        assert_eq!((default["region"].as_str(), default["s3.max"].as_str()), ("eu-west-1", "1"));
        assert_eq!(made.address(dev, "dynamodb").as_deref(), Some("http://a"));
        assert_eq!(made.address(dev, "s3"), None);
        assert_eq!(made.session("x").unwrap()["sso_region"], "y");
        assert!(made.profile("other").is_none());
    }
}
