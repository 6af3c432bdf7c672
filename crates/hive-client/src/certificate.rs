//! What makes a hive's certificate the right one, and what a certificate that is not means.

use std::{error::Error, fmt, fs, io, path::PathBuf, sync::Arc};

use hive_api::Fingerprint;
use reqwest::Certificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use subtle::ConstantTimeEq;

use crate::ClientError;

/// What makes the certificate of a hive the right one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// One of the system's authorities has signed it, or one of the file `SSL_CERT_FILE` names.
    #[default]
    SystemRoots,
    /// One of the authorities of this PEM file has signed it, and no other.
    CaFile(PathBuf),
    /// It has this fingerprint; its names, dates and signatures do not count.
    Pin(Fingerprint),
}

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// No authority that is trusted here has signed it.
    UnknownIssuer,
    /// A signature was not made with the key that it should be made with.
    BadSignature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// Something else, in the words of the TLS library.
    Other(String),
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => write!(formatter, "no authority that is trusted here signed it"),
            Self::BadSignature => write!(formatter, "a signature is not of the key that it names"),
            Self::Expired => write!(formatter, "it has expired, or the clock here is wrong"),
            Self::NotYetValid => {
                write!(formatter, "it is not valid yet, or the clock here is wrong")
            }
            Self::WrongName => write!(formatter, "it is for another name than the address"),
            Self::Other(detail) => write!(formatter, "{detail}"),
        }
    }
}

impl Trust {
    /// Teaches an HTTP client what to trust; `hive` is what errors call the hive.
    pub(crate) fn apply(
        &self,
        hive: &str,
        builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, ClientError> {
        match self {
            Self::SystemRoots => Ok(builder),
            Self::CaFile(path) => {
                let bad = |reason: String| ClientError::BadCaFile {
                    path: path.clone(),
                    reason,
                };
                let text = fs::read(path).map_err(|error| bad(error.to_string()))?;
                let authorities = Certificate::from_pem_bundle(&text)
                    .map_err(|_| bad("it is not a PEM file".to_owned()))?;
                if authorities.is_empty() {
                    return Err(bad("there is no certificate in it".to_owned()));
                }
                Ok(builder.tls_certs_only(authorities))
            }
            Self::Pin(pin) => {
                let config = pinned(*pin).map_err(|error| ClientError::Protocol {
                    hive: hive.to_owned(),
                    detail: format!("no TLS client could be made ({error})"),
                })?;
                Ok(builder.tls_backend_preconfigured(config))
            }
        }
    }
}

/// TLS that accepts one certificate. Sessions are not resumed: a resumed one shows no certificate.
fn pinned(pin: Fingerprint) -> Result<ClientConfig, rustls::Error> {
    let provider = aws_lc_rs::default_provider();
    let verifier = PinVerifier {
        pin,
        algorithms: provider.signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts the certificate with the pinned fingerprint from whoever proves to have its key.
#[derive(Debug)]
struct PinVerifier {
    pin: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of_certificate(end_entity);
        if shown.as_bytes().ct_eq(self.pin.as_bytes()).into() {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherError(Arc::new(NotThePinned {
            pinned: self.pin,
            shown,
        }));
        Err(CertificateError::Other(other).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The certificate has another fingerprint.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is {shown}, and {pinned} is pinned")]
struct NotThePinned {
    pinned: Fingerprint,
    shown: Fingerprint,
}

/// The refusal of the hive's certificate that an error of the HTTP client is, if it is one: another connection would
/// be refused as well.
pub(crate) fn refusal(hive: &str, error: &(dyn Error + 'static)) -> Option<ClientError> {
    let hive = hive.to_owned();
    match tls_error(error)? {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            Some(match other.downcast_ref::<NotThePinned>() {
                Some(&NotThePinned { pinned, shown }) => ClientError::AnotherCertificate {
                    hive,
                    pinned,
                    shown,
                },
                None => ClientError::UntrustedCertificate {
                    hive,
                    problem: CertificateProblem::Other(other.to_string()),
                },
            })
        }
        rustls::Error::InvalidCertificate(error) => {
            let problem = problem_of(error);
            Some(ClientError::UntrustedCertificate { hive, problem })
        }
        // What came is no TLS at all.
        rustls::Error::InvalidMessage(_) => Some(ClientError::NotTls { hive }),
        _ => None,
    }
}

fn problem_of(error: &CertificateError) -> CertificateProblem {
    match error {
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        CertificateError::BadSignature => CertificateProblem::BadSignature,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::WrongName
        }
        other => CertificateProblem::Other(other.to_string()),
    }
}

/// The cause that is the TLS library's. An [`io::Error`] made from another error hides it from `source()`.
fn tls_error<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error rustls::Error> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inside = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        current = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}
