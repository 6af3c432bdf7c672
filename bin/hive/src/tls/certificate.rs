//! A certificate and its key as they are in their files, checked before they are shown to anyone.

use std::{fs, io::Read, os::unix::fs::MetadataExt, sync::Arc};

use hive_api::Fingerprint;
use jiff::Timestamp;
use rustls::{Error, InconsistentKeys, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::TlsError;
use crate::config::NamedFile;

/// No chain and no key is longer.
const LONGEST_FILE_BYTES: u64 = 1024 * 1024;
/// Permission bits of neither the owner nor the group: a group of its own is how several services share a key.
const EVERYONE: u32 = 0o007;

/// A certificate with its key, ready to be shown.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: Fingerprint,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Its DNS names in lower case; the first label of one may be `*`.
    names: Vec<String>,
}

impl Certificate {
    /// Reads and checks both files.
    pub(super) fn read(certificate: &NamedFile, key: &NamedFile) -> Result<Self, TlsError> {
        let unusable = |file: &NamedFile, problem: String| TlsError::Unusable {
            setting: file.setting.clone(),
            path: file.path.clone(),
            problem,
        };
        let text = contents(certificate, |_| Ok(()))?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let chain = chain
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| unusable(certificate, "has no certificate in PEM".to_owned()))?;
        let text = contents(key, |mode| refuse_open_to_all(key, mode))?;
        let private = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| unusable(key, "has no private key in PEM".to_owned()))?;
        let leaf = &chain[0];
        let (_, read) = X509Certificate::from_der(leaf)
            .map_err(|_| unusable(certificate, "is not a certificate".to_owned()))?;
        let time = |seconds: i64| {
            Timestamp::from_second(seconds)
                .map_err(|_| unusable(certificate, "has impossible dates".to_owned()))
        };
        Ok(Self {
            fingerprint: Fingerprint::of_certificate(leaf),
            not_before: time(read.validity().not_before.timestamp())?,
            not_after: time(read.validity().not_after.timestamp())?,
            names: names(&read),
            config: Arc::new(config(chain.clone(), private).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::OfAnotherKey {
                    setting: key.setting.clone(),
                    key: key.path.clone(),
                    certificate: certificate.path.clone(),
                },
                error => unusable(key, format!("cannot be used: {error}")),
            })?),
        })
    }

    /// Whether it is for this host name, in lower case.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(domain) => parent == Some(domain),
            None => name == host,
        })
    }
}

fn contents(
    file: &NamedFile,
    check: impl FnOnce(u32) -> Result<(), TlsError>,
) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        setting: file.setting.clone(),
        path: file.path.clone(),
        source,
    };
    let opened = fs::File::open(&file.path).map_err(unreadable)?;
    check(opened.metadata().map_err(unreadable)?.mode() & 0o777)?;
    let mut text = Vec::new();
    let mut bounded = opened.take(LONGEST_FILE_BYTES);
    bounded.read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn refuse_open_to_all(key: &NamedFile, mode: u32) -> Result<(), TlsError> {
    if mode & EVERYONE == 0 {
        return Ok(());
    }
    Err(TlsError::KeyOpenToAll {
        setting: key.setting.clone(),
        path: key.path.clone(),
        mode,
    })
}

/// TLS 1.2 and 1.3 for HTTP/1.1.
fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The DNS names of a certificate (RFC 5280, section 4.2.1.6), in lower case.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names = alternatives.map(|extension| &extension.value.general_names);
    names
        .into_iter()
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    fn of(names: &[&str]) -> Certificate {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = CertificateParams::new(names).unwrap().self_signed(&key);
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let setting = name.to_owned();
            NamedFile { setting, path }
        };
        let certificate = file("cert", &made.unwrap().pem());
        Certificate::read(&certificate, &file("key", &key.serialize_pem())).unwrap()
    }

    #[test]
    fn a_certificate_is_for_its_names_and_a_wildcard_for_one_label() {
        let certificate = of(&["GPU1.lan", "*.cluster.example", "192.168.1.20"]);
        for (host, is_for) in [
            ("gpu1.lan", true),
            ("gpu1", false),
            ("a.cluster.example", true),
            ("cluster.example", false),
            ("a.b.cluster.example", false),
            ("evilcluster.example", false),
            ("gpu1.lan.evil", false),
        ] {
            assert_eq!(certificate.is_for(host), is_for, "{host}");
        }
    }
}
