//! Whether TCP addresses speak TLS, and with whose certificate.

use std::path::PathBuf;

use super::{ConfigError, Layers};

/// The certificate of the TCP addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsConfig {
    /// Files that somebody else looks after.
    Given {
        /// The certificate, then those of its issuers, in PEM.
        certificate: NamedFile,
        /// Its private key, in PEM.
        key: NamedFile,
    },
    /// One that the hive makes once and keeps in its state folder.
    SelfSigned,
}

/// A file, with the key of the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The key as it was written.
    pub setting: String,
    /// The file.
    pub path: PathBuf,
}

impl Layers {
    /// What was said about TLS, and whether it can all be meant.
    pub(super) fn tls(&self) -> Result<Option<TlsConfig>, ConfigError> {
        let certificate = self.named_file("tls_cert", |layer| layer.tls_cert.clone());
        let key = self.named_file("tls_key", |layer| layer.tls_key.clone());
        let self_signed = self.said("tls_self_signed", |layer| layer.tls_self_signed);
        let contradiction = |one: String, other: String| ConfigError::Contradiction { one, other };
        let (setting, tls) = match (certificate, key, self_signed) {
            (None, None, None) => return Ok(None),
            (None, None, Some(setting)) => (setting, TlsConfig::SelfSigned),
            (Some(given), _, Some(setting)) | (None, Some(given), Some(setting)) => {
                return Err(contradiction(setting, given.setting));
            }
            (Some(given), None, None) | (None, Some(given), None) => {
                let given = given.setting;
                return Err(ConfigError::OtherHalfMissing { given });
            }
            (Some(certificate), Some(key), None) => (
                certificate.setting.clone(),
                TlsConfig::Given { certificate, key },
            ),
        };
        match self.said("insecure_http", |layer| layer.insecure_http) {
            Some(insecure) => Err(contradiction(insecure, setting)),
            None => Ok(Some(tls)),
        }
    }

    fn named_file(
        &self,
        name: &str,
        read: impl Fn(&super::Settings) -> Option<PathBuf>,
    ) -> Option<NamedFile> {
        let (setting, path) = self.first(name, read)?;
        Some(NamedFile { setting, path })
    }
}
