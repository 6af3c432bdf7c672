//! One hive of `config.toml`, and the forms of what a person writes into it: its name, labels, pin, CA file and proxy.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use hive_api::Fingerprint;
use hive_client::{HttpProxy, ParseHttpProxyError};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::LOCAL;
use crate::failure::Failure;

/// Names and labels have at most this many characters.
const NAME_CHARACTERS_MAX: usize = 63;

/// A hive of the configuration, by its keys in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HiveEntry {
    /// Its address, unchecked: the file is a person's.
    pub(crate) url: String,
    /// The fingerprint of its certificate, `sha256:` and 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pin: Option<Fingerprint>,
    /// The certificates that sign its own, as a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The proxy that it is asked through, unchecked as the address is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<String>,
    /// What runs `hive` there, for its shell; over ssh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hive_command: Option<String>,
    /// What it is chosen by besides its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

impl HiveEntry {
    /// A hive of which nothing but its address is known.
    pub(crate) fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pin: None,
            ca_file: None,
            proxy: None,
            hive_command: None,
            labels: BTreeMap::new(),
        }
    }
}

/// What keeper's files say about a hive. An error in it makes this one hive unusable and no other.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its address as it is written, where one is.
    pub(crate) url: Option<String>,
    /// What it is chosen by besides its name, as far as that can be read.
    pub(crate) labels: BTreeMap<String, String>,
    /// The whole, or what is wrong with it.
    pub(crate) entry: Result<HiveEntry, String>,
}

impl Known {
    /// Takes what stands under the hive's name.
    pub(super) fn of(value: Value) -> Self {
        let url = value.get("url").and_then(Value::as_str);
        let url = url.map(str::to_owned);
        let labels = value.get("labels").cloned();
        let labels = labels.and_then(|labels| labels.try_into().ok());
        let entry = value.try_into::<HiveEntry>();
        Self {
            url,
            labels: labels.unwrap_or_default(),
            entry: entry.map_err(|error| error.message().to_owned()),
        }
    }
}

/// A name that a hive can be given.
pub(crate) fn name_for(name: &str) -> Result<String, Failure> {
    let reason = if name == LOCAL {
        "that is the hive of this machine"
    } else if name.parse::<IpAddr>().is_ok() || name.contains("://") {
        "it looks like an address"
    } else if !is_word(name) {
        "a name is 1 to 63 letters, digits, `.`, `_` and `-`, and does not begin with `-`"
    } else {
        return Ok(name.to_owned());
    };
    Err(Failure::usage(
        format!("`{name}` cannot name a hive"),
        reason,
    ))
}

/// A label, `KEY=VALUE`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if is_word(key) && is_word(value) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        Some(_) | None => Err("give KEY=VALUE, each of letters, digits, `.`, `_` and `-`".into()),
    }
}

/// The address of a proxy of the command line, which everyone on the machine can read. What is refused is not said again:
/// it may have a password.
pub(crate) fn proxy(text: &str) -> Result<String, Failure> {
    let parsed = text.parse();
    let proxy: HttpProxy = parsed.map_err(|error: ParseHttpProxyError| {
        Failure::usage("--proxy names no proxy", error.to_string())
    })?;
    if proxy.has_login() {
        return Err(Failure::usage(
            "--proxy has a password, and others can read a command line",
            "set KEEPER_PROXY to it instead",
        ));
    }
    Ok(proxy.to_string())
}

/// The absolute path of a CA file that is there.
pub(crate) fn ca_file(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).ok().filter(|path| path.is_file());
    absolute.ok_or_else(|| {
        Failure::usage(
            format!("there is no file {}", path.display()),
            "name the PEM file of the CA",
        )
    })
}

pub(super) fn is_word(text: &str) -> bool {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    (1..=NAME_CHARACTERS_MAX).contains(&text.len())
        && !text.starts_with('-')
        && text.chars().all(is_fine)
        && text.chars().any(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_word_that_means_nothing_else() {
        for name in ["gpu1", "gpu1.lan", "A_b-3", &"x".repeat(63)] {
            assert_eq!(name_for(name).unwrap(), name);
        }
        for name in [
            "",
            "-x",
            "local",
            "10.0.0.1",
            "ssh://a",
            "a b",
            "..",
            "ü",
            &"x".repeat(64),
        ] {
            assert!(name_for(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_proxy_of_the_command_line_has_no_password() {
        assert_eq!(proxy("http://proxy:3128/").unwrap(), "http://proxy:3128");
        assert!(proxy("socks5://proxy").is_err());
        let refused = proxy("http://alice:secret@proxy:3128").unwrap_err();
        let told = format!("{refused:?}");
        assert!(told.contains("KEEPER_PROXY"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_label_has_a_key_and_a_value() {
        assert_eq!(label("gpu=a100").unwrap(), ("gpu".into(), "a100".into()));
        for text in ["gpu", "gpu=", "=a100", "a=b=c", "a= b"] {
            assert!(label(text).is_err(), "{text}");
        }
    }
}
