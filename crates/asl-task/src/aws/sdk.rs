//! `aws-sdk:SERVICE:ACTION`: any operation of the API model.

use super::{Aws, role, unanswered, unknown};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode};
use crate::runner::Runner;
use asl_aws::model::Service;
use asl_aws::{CallError, dialect};
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::Value;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// An operation of a service.
pub(super) struct Action {
    aws: Aws,
    service: Arc<Service>,
    action: String,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aws-sdk:{}:{}", self.service.resource, self.action)
    }
}

impl Action {
    pub(super) fn find(aws: &Aws, service: &str, action: &str) -> Result<Action, Missing> {
        if let Some(missing) = unknown(service, action) {
            return Err(missing);
        }
        let found = asl_aws::model::service(service).filter(|s| s.operation(action).is_some());
        let service =
            found.ok_or_else(|| Missing { message: format!("aws-sdk:{service}:{action} is not known"), hint: None })?;
        let operation = service.operation(action);
        if operation.is_some_and(|o| service.streams(o)) {
            let message =
                format!("aws-sdk:{}:{action} streams events, which Step Functions does not support", service.resource);
            return Err(Missing { message, hint: None });
        }
        Ok(Action { aws: aws.clone(), service, action: action.to_owned() })
    }
}

#[async_trait]
impl Integration for Action {
    fn title(&self) -> String {
        format!("AWS, {self:?}")
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Aws((&*self.service.resource).into())
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        let (Some(operation), Some(parameters)) = (self.service.operation(&self.action), parameters) else {
            return Ok(());
        };
        let unknown = asl_aws::unknown(&self.service, operation, parameters.names().into_iter());
        match unknown.into_iter().next() {
            Some(message) => Err(Missing { message, hint: Some(members(&self.service, operation)) }),
            None => Ok(()),
        }
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let prefix = &self.service.prefix;
        let Some(operation) = self.service.operation(&self.action) else {
            return Err(Failure::new("States.Runtime", format!("{self:?} is not known")));
        };
        let role = role(call.role_arn);
        let called = self.aws.client().call(&self.service, operation, call.parameters, call.key, role.as_ref()).await;
        match called {
            Ok(answer) => Ok(answer.result),
            Err(CallError::Fault(fault)) => {
                let (name, cause) = (dialect::error_name(&self.service, &fault), dialect::cause(&self.service, &fault));
                Err(Failure::new(name, cause))
            }
            Err(error) => Err(unanswered(prefix, error, call.parameters)),
        }
    }
}

/// The parameters that an operation has.
pub(super) fn members(service: &Service, operation: &asl_aws::model::Operation) -> String {
    let members = service.input(operation).map_or(&[][..], |i| &i.members);
    if members.is_empty() {
        return "it takes no parameters".to_owned();
    }
    let names: Vec<&str> = members.iter().map(|m| &*m.key).collect();
    format!("its parameters are {}", names.join(", "))
}
