//! ARNs of the API: what they name, and what is wrong with them.

use crate::wire::ApiError;

/// The parts of an ARN of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    /// The whole text.
    pub(crate) text: &'a str,
    /// `arn:aws:states:REGION:ACCOUNT`
    pub(crate) prefix: &'a str,
    /// `stateMachine`, `execution`, `express`, `mapRun`, `activity`.
    pub(crate) kind: &'a str,
    /// What comes behind the kind.
    pub(crate) rest: &'a str,
}

/// What a state machine's ARN ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier {
    Version(i64),
    Alias(String),
}

/// The ARN of a state machine, of a version or an alias of it, or of the children of a Map state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachineArn {
    /// Without version, alias and label.
    pub(crate) arn: String,
    pub(crate) qualifier: Option<Qualifier>,
    /// Of a Distributed Map: `stateMachine:NAME/LABEL`.
    pub(crate) label: Option<String>,
}

impl<'a> Arn<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Arn<'a>, ApiError> {
        let bad = || ApiError::invalid_arn(&format!("Invalid ARN prefix: {text}"));
        if !text.starts_with("arn:") {
            return Err(bad());
        }
        let end = text.match_indices(':').nth(4).map(|(at, _)| at).ok_or_else(bad)?;
        let (prefix, rest) = (&text[..end], &text[end + 1..]);
        if prefix.split(':').nth(2) != Some("states") {
            return Err(bad());
        }
        let (kind, rest) = rest.split_once(':').unwrap_or((rest, ""));
        Ok(Arn { text, prefix, kind, rest })
    }

    /// An ARN of one of these kinds.
    pub(crate) fn of(text: &'a str, kinds: &[&str]) -> Result<Arn<'a>, ApiError> {
        let arn = Arn::parse(text)?;
        match kinds.contains(&arn.kind) && !arn.rest.is_empty() {
            true => Ok(arn),
            false => Err(arn.out_of_place()),
        }
    }

    pub(crate) fn out_of_place(&self) -> ApiError {
        ApiError::invalid_arn(&format!("Resource type not valid in this context: {}", self.kind))
    }

    /// An execution that has a history to show: a standard one, or a child of a map run of either type.
    pub(crate) fn execution(text: &'a str) -> Result<Arn<'a>, ApiError> {
        let arn = Arn::of(text, &["execution", "express"])?;
        let is_child = arn.rest.split(':').next().is_some_and(|machine| machine.contains('/'));
        if arn.kind == "express" && !is_child { Err(arn.out_of_place()) } else { Ok(arn) }
    }
}

impl MachineArn {
    pub(crate) fn parse(text: &str) -> Result<MachineArn, ApiError> {
        let arn = Arn::of(text, &["stateMachine"])?;
        let mut parts = arn.rest.splitn(2, ':');
        let name = parts.next().unwrap_or_default();
        let qualifier = parts.next().map(|qualifier| match qualifier.parse() {
            Ok(version) => Qualifier::Version(version),
            Err(_) => Qualifier::Alias(qualifier.to_owned()),
        });
        let (name, label) = name.split_once('/').map_or((name, None), |(name, label)| (name, Some(label.to_owned())));
        Ok(MachineArn { arn: format!("{}:stateMachine:{name}", arn.prefix), qualifier, label })
    }

    /// The ARN of a state machine itself, for what can be done to nothing else.
    pub(crate) fn unqualified(text: &str) -> Result<String, ApiError> {
        let arn = MachineArn::parse(text)?;
        if arn.label.is_some() {
            return Err(ApiError::validation(format!(
                "State machine ARN of a Distributed Map is not valid here: '{text}'"
            )));
        }
        match arn.qualifier {
            None => Ok(arn.arn),
            Some(_) => Err(ApiError::invalid_arn("Qualified state machine ARN is not valid in this context")),
        }
    }

    /// The ARN of a version: its state machine and its number.
    pub(crate) fn version(text: &str) -> Option<(String, i64)> {
        match MachineArn::parse(text).ok()? {
            MachineArn { arn, qualifier: Some(Qualifier::Version(number)), label: None } => Some((arn, number)),
            _ => None,
        }
    }

    /// The ARN of an alias: its state machine and its name.
    pub(crate) fn alias(text: &str) -> Result<(String, String), ApiError> {
        match MachineArn::parse(text)? {
            MachineArn { arn, qualifier: Some(Qualifier::Alias(name)), label: None } => Ok((arn, name)),
            _ => Err(ApiError::invalid_arn(&format!("Invalid state machine alias ARN: {text}"))),
        }
    }
}

/// AWS's rule for names (spec: Limits).
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    match name.chars().any(forbidden) {
        true => Err(ApiError::new("InvalidName", format!("Invalid Name: '{name}'"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_say_what_they_name() {
        let p = "arn:aws:states:us-east-1:123456789012";
        let version = MachineArn::parse(&format!("{p}:stateMachine:m:7")).unwrap();
        assert_eq!((&*version.arn, version.qualifier), (&*format!("{p}:stateMachine:m"), Some(Qualifier::Version(7))));
        let alias = MachineArn::alias(&format!("{p}:stateMachine:m:prod-1")).unwrap();
        assert_eq!(alias.1, "prod-1");
        assert_eq!(MachineArn::parse(&format!("{p}:stateMachine:m/l")).unwrap().label.as_deref(), Some("l"));
        let told = |text: &str| Arn::execution(text).map_or_else(|error| error.message, |_| "fine".to_owned());
        assert_eq!(told("not_an_arn"), "Invalid Arn: 'Invalid ARN prefix: not_an_arn'");
        assert_eq!(
            told(&format!("{p}:express:m:n:u")),
            "Invalid Arn: 'Resource type not valid in this context: express'"
        );
        assert_eq!(
            told(&format!("{p}:stateMachine:m")),
            "Invalid Arn: 'Resource type not valid in this context: stateMachine'"
        );
        assert_eq!(told(&format!("{p}:express:m/l:n:u")), "fine");
        for bad in
            ["", "arn:", "arn:aws:states", "arn:aws:sqs:us-east-1:1:q", "arn:é:states:::", "arn:aws:states:::execution"]
        {
            assert!(Arn::execution(bad).is_err() && MachineArn::parse(bad).is_err(), "{bad}");
        }
    }
}
