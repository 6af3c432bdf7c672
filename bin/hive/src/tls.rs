//! The hive's certificate: given or made by itself, read again when it is told to, without touching a connection.

mod certificate;
mod self_signed;

use std::{
    io,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use hive_api::{HiveTls, StateFolder};
use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;

use self::certificate::Certificate;
use crate::config::{NamedFile, TlsConfig};

/// Why the hive has no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{setting}` is {}, which cannot be read", path.display())]
    Unreadable {
        /// The key that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("`{setting}` is {}, which {problem}", path.display())]
    Unusable {
        /// The key that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Everyone can read the private key.
    #[error(
        "`{setting}` is {}, which every user of this machine can read or write (mode {mode:03o}): run `chmod 640` or \
         `chmod 600` on it",
        path.display()
    )]
    KeyOpenToAll {
        /// The key that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The certificate is another key's.
    #[error("the key in {} (`{setting}`) is not that of the certificate in {}", key.display(), certificate.display())]
    OfAnotherKey {
        /// The key that names the private key.
        setting: String,
        /// The file of the private key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// A certificate of one's own cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A certificate of one's own cannot be kept.
    #[error("cannot write {}", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the TCP addresses show and prove.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: NamedFile,
    key: NamedFile,
    is_self_signed: bool,
    current: RwLock<Arc<Certificate>>,
}

impl Tls {
    /// Reads the certificate, or makes the one of the state folder where it has none yet: for this machine's name and
    /// these addresses.
    pub(crate) fn open(
        config: &TlsConfig,
        state: &StateFolder,
        machine: &str,
        listen: &[IpAddr],
    ) -> Result<Self, TlsError> {
        let (certificate, key, is_self_signed) = match config {
            TlsConfig::Given { certificate, key } => (certificate.clone(), key.clone(), false),
            TlsConfig::SelfSigned => {
                self_signed::make_unless_there(state, machine, listen)?;
                let of_state = |path| NamedFile {
                    setting: "tls_self_signed".to_owned(),
                    path,
                };
                (
                    of_state(state.tls_certificate()),
                    of_state(state.tls_key()),
                    true,
                )
            }
        };
        let current = Certificate::read(&certificate, &key)?;
        current.warn_of_dates();
        Ok(Self {
            certificate,
            key,
            is_self_signed,
            current: RwLock::new(Arc::new(current)),
        })
    }

    /// Reads both files again. What cannot be used leaves everything as it is, and connections that are open stay so.
    pub(crate) fn reload(&self) {
        let read = match Certificate::read(&self.certificate, &self.key) {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the certificate was not read again, the old one stays in use"
                );
                return;
            }
        };
        read.warn_of_dates();
        tracing::info!(
            tls.fingerprint = %read.fingerprint,
            tls.not_after = %read.not_after,
            "read the certificate again"
        );
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
    }

    /// What a new connection is answered with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current().config))
    }

    /// Whether the certificate is for this host name, in lower case.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.current().is_for(host)
    }

    /// What others may know of it.
    pub(crate) fn info(&self) -> HiveTls {
        let current = self.current();
        HiveTls {
            fingerprint: current.fingerprint,
            not_after: current.not_after,
            self_signed: self.is_self_signed,
        }
    }

    fn current(&self) -> Arc<Certificate> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Certificate {
    /// A pin does not count dates and a proxy may not either, so it is said and not refused.
    fn warn_of_dates(&self) {
        let now = Timestamp::now();
        if now > self.not_after {
            tracing::warn!(tls.not_after = %self.not_after, "the certificate has EXPIRED: clients without a pin refuse it");
        } else if now < self.not_before {
            tracing::warn!(tls.not_before = %self.not_before, "the certificate is NOT VALID YET: clients without a pin refuse it");
        }
    }
}
