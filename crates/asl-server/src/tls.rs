//! TLS: the certificate that a server shows, and the handshake.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A certificate with its key, which a server shows to clients. TLS 1.2 and 1.3, without certificates of clients.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is none of PEM.
    #[error("the {what} {} cannot be read: {problem}", .file.display())]
    File {
        /// `certificate` or `key`.
        what: &'static str,
        /// Which.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// The two do not belong together, or are of a kind that is not known.
    #[error("the certificate {} cannot be shown: {problem}", .file.display())]
    Unfit {
        /// The certificate's.
        file: PathBuf,
        /// Why.
        problem: rustls::Error,
    },
}

impl Tls {
    /// Reads PEM files: the server's certificate, followed by those between it and the authority, and its key.
    ///
    /// # Errors
    /// A file cannot be read, has nothing of its kind, or the key is not the certificate's.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let failed = |what, file: &Path, problem: pem::Error| {
            let problem = match problem {
                pem::Error::Io(problem) => problem.to_string(),
                pem::Error::NoItemsFound => format!("there is no {what} in it"),
                problem => problem.to_string(),
            };
            TlsError::File { what, file: file.to_owned(), problem }
        };
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
        let chain = chain.map_err(|problem| failed("certificate", certificate, problem))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|problem| failed("key", key, problem))?;
        let unfit = |problem| TlsError::Unfit { file: certificate.to_owned(), problem };
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(unfit)?;
        let mut config = config.with_no_client_auth().with_single_cert(chain, key).map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}
