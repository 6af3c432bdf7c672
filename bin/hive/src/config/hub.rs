//! The way to the Hub, from the variables that mean the same to every Hub client and every HTTP client.

use std::{path::PathBuf, time::Duration};

use model_provisioner::{
    EnvironmentError, HubLimits, HubSettings, HubToken, Proxies, hub_endpoint, is_offline,
};
use url::Url;

use super::{ConfigError, Environment};

/// Which Hub, as whom, over which way.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The Hub and the account.
    pub settings: HubSettings,
    /// The proxy on the way to the Hub, without credentials, for people.
    pub proxy: Option<String>,
    /// The certificate file of the environment (`SSL_CERT_FILE`), for people.
    pub ca_file: Option<String>,
}

impl HubConfig {
    pub(super) fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let lookup = |name: &str| text(environment, name);
        let endpoint = endpoint(lookup)?;
        let proxies = Proxies::discover(lookup)?;
        let ca_file = lookup("SSL_CERT_FILE");
        let mut limits = HubLimits::default();
        if let Some(seconds) = lookup("HF_HUB_DOWNLOAD_TIMEOUT") {
            limits.headers = timeout(seconds)?;
        }
        Ok(Self {
            proxy: proxies.shown_for(&endpoint),
            settings: HubSettings {
                endpoint,
                token: HubToken::discover(lookup)?,
                user_agent: concat!("hive/", env!("CARGO_PKG_VERSION")).to_owned(),
                proxies,
                ca_file: ca_file.as_ref().map(PathBuf::from),
                is_offline: is_offline(lookup),
                limits,
            },
            ca_file,
        })
    }

    /// The Hub's address without credentials.
    pub fn shown_endpoint(&self) -> String {
        without_credentials(self.settings.endpoint.clone())
    }
}

/// A variable's text; an empty one counts as unset, and one that is not UTF-8 cannot be any of these.
pub(super) fn text(environment: &Environment, name: &str) -> Option<String> {
    let value = environment(name)?.into_string().ok()?;
    Some(value).filter(|text| !text.trim().is_empty())
}

/// The Hub's address. A query would be lost with the first path behind it, and may hold a secret.
fn endpoint(lookup: impl Fn(&str) -> Option<String>) -> Result<Url, ConfigError> {
    match hub_endpoint(lookup) {
        Ok(address) if address.query().is_none() && address.fragment().is_none() => Ok(address),
        Ok(_) | Err(EnvironmentError::BadEndpoint { .. }) => Err(ConfigError::Endpoint),
        Err(
            error @ (EnvironmentError::UnreadableToken { .. }
            | EnvironmentError::NoHome
            | EnvironmentError::BadProxy { .. }),
        ) => Err(error.into()),
    }
}

fn timeout(seconds: String) -> Result<Duration, ConfigError> {
    let read = seconds.trim().parse().ok();
    read.filter(|&seconds: &u64| seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| {
            ConfigError::invalid(
                "HF_HUB_DOWNLOAD_TIMEOUT",
                seconds,
                "a whole number of seconds",
            )
        })
}

/// An address as people are shown it.
pub(crate) fn without_credentials(mut address: Url) -> String {
    // An address that can have no credentials has none to remove.
    let _ = address.set_username("");
    let _ = address.set_password(None);
    address.set_query(None);
    address.set_fragment(None);
    address.as_str().trim_end_matches('/').to_owned()
}
