//! Where a store lies: a PostgreSQL URL, taken apart. Nothing of it that is shown has the password.

use crate::JournalError;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use std::sync::Arc;

/// The schema that a store lies in where the URL names none.
const SCHEMA: &str = "asl";
/// PostgreSQL cuts longer names.
const NAME_BYTES: usize = 63;

/// How to reach a store.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) options: PgConnectOptions,
    /// Letters, digits and `_`: it stands in statements as it is.
    pub(crate) schema: Arc<str>,
    /// A connection is a session of the server's. False behind a pooler that gives each transaction another one: then nothing is
    /// kept in a session, neither prepared statements nor locks nor `LISTEN`.
    pub(crate) is_direct: bool,
    /// For messages.
    pub(crate) name: Arc<str>,
}

impl Address {
    /// Reads a URL: `postgres://user:password@host:port/database?schema=asl&pooler=transaction&sslmode=...`. `schema` and `pooler` are
    /// ours, all else is libpq's.
    ///
    /// # Errors
    /// [`JournalError::Address`] says what is wrong, without the password.
    pub(crate) fn parse(url: &str) -> Result<Address, JournalError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let wrong = |what: String| JournalError::Address { place: crate::shown(base).into(), what };
        let (mut schema, mut is_direct, mut others) = (SCHEMA.to_owned(), true, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("schema", name) => schema = name.to_owned(),
                ("pooler", "transaction") => is_direct = false,
                ("pooler", "session" | "none") => is_direct = true,
                ("pooler", other) => {
                    return Err(wrong(format!(
                        "pooler={other} is not known, one of transaction, session, none is meant"
                    )));
                }
                _ => others.push(pair),
            }
        }
        let is_plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = schema.bytes().next().is_some_and(|byte| is_plain(byte) && !byte.is_ascii_digit());
        if !begins || !schema.bytes().all(is_plain) || schema.len() > NAME_BYTES || schema.starts_with("pg_") {
            return Err(wrong(format!("schema={schema} is no name of a schema: a-z, 0-9 and _ make one, at most 63")));
        }
        let plain = format!("{base}?{}", others.join("&"));
        let options = PgConnectOptions::from_str(&plain).map_err(|error| wrong(error.to_string()))?;
        // Poolers know no `extra_float_digits`, and what is wanted with it has been the default since PostgreSQL 12.
        let options = options.application_name("asl").disable_statement_logging().extra_float_digits(None);
        let options = if is_direct { options } else { options.statement_cache_capacity(0) };
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or(options.get_username());
        let mut name = format!("postgres://{}@{place}/{database}", options.get_username());
        if schema != SCHEMA {
            name = format!("{name}?schema={schema}");
        }
        Ok(Address { options, schema: schema.into(), is_direct, name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_shown_without_its_password() {
        let address = Address::parse("postgres://asl:s%40cret@db:6432/flow?schema=two&pooler=transaction").unwrap();
        assert_eq!(&*address.name, "postgres://asl@db:6432/flow?schema=two");
        assert!(!address.is_direct);
        for wrong in ["?schema=Two", "?schema=a;b", "?schema=", "?schema=pg_x", "?pooler=statement", "?sslmode=perhaps"]
        {
            let told = Address::parse(&format!("postgres://asl:secret@db/flow{wrong}")).unwrap_err().to_string();
            assert!(told.contains("postgres://asl@db/flow") && !told.contains("secret"), "{told}");
        }
        let told = Address::parse("postgres://asl:sec@ret@d b:x/").unwrap_err().to_string();
        assert!(!told.contains("sec"), "{told}");
    }
}
