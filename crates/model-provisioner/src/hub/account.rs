//! As whom the Hub is asked: one token at a time, which may change while downloads run.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use hf_hub::HFClient;
use jiff::Timestamp;
use reqwest::{Client, Method, StatusCode, header::HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::{
    Denial, Hub, HubContact, HubError, HubErrorKind, HubSetupError, Missing, failure,
    tree::read_body,
};
use crate::HubToken;

/// What hf-hub is given when there is no token: it would look for one in the environment otherwise. A line feed
/// cannot stand in a header, so none is sent.
const NO_TOKEN: &str = "\n";

/// A token as the clients send it.
pub(super) struct Account {
    /// hf-hub's own questions.
    pub(super) api: HFClient,
    pub(super) authorization: Option<HeaderValue>,
    token_source: Option<String>,
    /// Its name, once it is known.
    name: OnceLock<String>,
}

/// The account of a Hub, and what the next one is made of.
pub(super) struct Accounts {
    maker: Maker,
    current: RwLock<Arc<Account>>,
}

/// What every account of a Hub shares.
pub(super) struct Maker {
    /// The client that hf-hub asks with.
    pub(super) client: Client,
    /// The Hub.
    pub(super) endpoint: Url,
    /// Told to hf-hub so that it looks nowhere else.
    pub(super) cache: PathBuf,
    /// The proxy that could read a token, where there is one: none is sent then.
    pub(super) eavesdropper: Option<String>,
}

#[derive(Deserialize)]
struct WhoAmI {
    name: String,
}

impl Accounts {
    pub(super) fn new(maker: Maker, token: Option<&HubToken>) -> Result<Self, HubSetupError> {
        let first = maker.account(token)?;
        Ok(Self {
            maker,
            current: RwLock::new(Arc::new(first)),
        })
    }

    pub(super) fn current(&self) -> Arc<Account> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl Maker {
    fn account(&self, token: Option<&HubToken>) -> Result<Account, HubSetupError> {
        let token = token.filter(|_| match &self.eavesdropper {
            None => true,
            Some(proxy) => {
                tracing::warn!(
                    hub.proxy = proxy,
                    "the hub is asked over plain http and a proxy, which could read the token: it is not sent"
                );
                false
            }
        });
        let api = HFClient::builder()
            .endpoint(self.endpoint.as_str().trim_end_matches('/'))
            .token(token.map_or(NO_TOKEN, |token| token.expose()))
            .cache_dir(&self.cache)
            .client(self.client.clone())
            .retry_max_attempts(0)
            .build()?;
        Ok(Account {
            api,
            authorization: token.map(authorization).transpose()?,
            token_source: token.map(|token| token.source().to_owned()),
            name: OnceLock::new(),
        })
    }
}

impl Hub {
    /// Asks as another account from now on, whose name may be known; a question that is under way is still the old one's.
    pub(crate) fn set_token(
        &self,
        token: Option<&HubToken>,
        name: Option<String>,
    ) -> Result<(), HubSetupError> {
        let mut next = self.accounts.maker.account(token)?;
        if let Some(name) = name {
            next.name = OnceLock::from(name);
        }
        let current = self.accounts.current.write();
        *current.unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// Whether questions carry a token.
    pub(crate) fn has_token(&self) -> bool {
        self.accounts.current().authorization.is_some()
    }

    /// Where the token came from.
    pub(crate) fn token_source(&self) -> Option<String> {
        self.accounts.current().token_source.clone()
    }

    /// The account's name if it was told or asked for before.
    pub(crate) fn known_account(&self) -> Option<String> {
        self.accounts.current().name.get().cloned()
    }

    /// The account's name; `None` without a token.
    pub(crate) async fn account(&self) -> Result<Option<String>, HubError> {
        let account = self.accounts.current();
        let Some(authorization) = &account.authorization else {
            return Ok(None);
        };
        let name = self.who_is(authorization).await?;
        Ok(Some(account.name.get_or_init(|| name).clone()))
    }

    /// The name of a token's account.
    pub(crate) async fn account_of(&self, token: &HubToken) -> Result<String, HubError> {
        let Ok(authorization) = authorization(token) else {
            let address = failure::address(&self.settings.endpoint);
            let detail = "no token has such characters";
            let kind = HubErrorKind::Denied(Denial::BadToken);
            return Err(HubError::new(kind, address, detail));
        };
        self.who_is(&authorization).await
    }

    /// How the Hub answers a stranger, `GET /api/whoami-v2`, within the limit for the headers of an answer.
    pub(crate) async fn reach(&self) -> Result<HubContact, HubError> {
        let url = self.url(["api", "whoami-v2"].into_iter())?;
        let asked = Instant::now();
        let asking = self.ask_as(None, Method::GET, &url, None);
        let answer = tokio::time::timeout(self.limits().headers, asking).await;
        let answer = answer.unwrap_or_else(|_| Err(failure::no_headers(&url)))?;
        if answer.status().is_server_error() {
            return Err(failure::of_response(&answer, false, Missing::Repository));
        }
        let took = asked.elapsed();
        Ok(HubContact::of(answer.headers(), took, Timestamp::now()))
    }

    /// `GET /api/whoami-v2` (Hub API), within the limit for the headers of an answer.
    async fn who_is(&self, authorization: &HeaderValue) -> Result<String, HubError> {
        let url = self.url(["api", "whoami-v2"].into_iter())?;
        let asking = async {
            let answer = self
                .ask_as(Some(authorization), Method::GET, &url, None)
                .await?;
            if answer.status() != StatusCode::OK {
                return Err(failure::of_response(&answer, true, Missing::Repository));
            }
            let body = read_body(answer, &url).await?;
            let who: WhoAmI = serde_json::from_slice(&body)
                .map_err(|error| failure::nonsense(&url, error.to_string()))?;
            Ok(failure::clean(&who.name))
        };
        let answer = tokio::time::timeout(self.limits().headers, asking).await;
        answer.unwrap_or_else(|_| Err(failure::no_headers(&url)))
    }
}

fn authorization(token: &HubToken) -> Result<HeaderValue, HubSetupError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        HubSetupError::BadToken {
            place: token.source().to_owned(),
        }
    })?;
    value.set_sensitive(true);
    Ok(value)
}
