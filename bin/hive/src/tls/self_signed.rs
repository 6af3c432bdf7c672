//! A certificate of the hive's own: made once and kept in the state folder, so that pins stay right.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use hive_api::StateFolder;
use jiff::{ToSpan, Zoned, civil::Date};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};

use super::TlsError;
use crate::state_folder::files::{self, OpenFileError};

/// How long it is valid. A pin does not count dates, and who trusts it in another way should not have to think of it
/// before the machine is gone.
const YEARS: i64 = 10;

/// Makes the certificate and its key unless there is one. The key is there before the certificate is.
pub(super) fn make_unless_there(
    state: &StateFolder,
    machine: &str,
    listen: &[IpAddr],
) -> Result<(), TlsError> {
    let path = state.tls_certificate();
    let there = path.try_exists();
    let failed = |source| TlsError::Keep {
        path: path.clone(),
        source,
    };
    if there.map_err(failed)? {
        return Ok(());
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let today = Zoned::now().date();
    let certificate = wanted(machine, listen, today)?.self_signed(&key)?;
    keep(&state.tls_key(), &key.serialize_pem())?;
    keep(&path, &certificate.pem())
}

fn wanted(
    machine: &str,
    listen: &[IpAddr],
    today: Date,
) -> Result<CertificateParams, rcgen::Error> {
    let addresses = [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::from(Ipv6Addr::LOCALHOST),
    ];
    let listen = listen.iter().filter(|address| !address.is_unspecified());
    let mut names = vec!["localhost".to_owned()];
    names.extend(addresses.iter().chain(listen).map(ToString::to_string));
    if !machine.is_empty() && machine.is_ascii() {
        names.push(machine.to_owned());
    }
    names.sort();
    names.dedup();
    let mut wanted = CertificateParams::new(names)?;
    wanted
        .distinguished_name
        .push(DnType::CommonName, format!("hive on {machine}"));
    // A client whose clock is a little behind may have it at once.
    let first = today.saturating_sub(1.day());
    let last = today.saturating_add(YEARS.years());
    let midnight = |date: Date| {
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        date_time_ymd(date.year().into(), month, day)
    };
    wanted.not_before = midnight(first);
    wanted.not_after = midnight(last);
    Ok(wanted)
}

/// Writes the file whole under another name first, closed to others.
fn keep(path: &Path, text: &str) -> Result<(), TlsError> {
    let failed = |source| TlsError::Keep {
        path: path.to_owned(),
        source,
    };
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    let opened = files::open(&draft, options.write(true).create(true).truncate(true));
    let mut file = opened.map_err(|error| {
        failed(match error {
            OpenFileError::Refused(error) => io::Error::other(error),
            OpenFileError::Io(error) => error,
        })
    })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&draft, path))
        .map_err(failed)
}
