//! Any operation of any AWS service, from its API model: parameters in, result or fault out.
#![forbid(unsafe_code)]

pub mod model;
