//! The HTTP clients and the rule that the token leaves for the Hub's origin only.

use std::{
    error::Error,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hf_hub::HFError;
use model_store::{RepoId, RepoKind};
use reqwest::{
    Certificate, Client, ClientBuilder, Method, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, RANGE},
    redirect::Policy,
};
use url::Url;

use super::{
    HubError, HubLimits, HubSettings,
    account::{Accounts, Maker},
    failure, redirect,
};

/// A Hub, with a client for each kind of question.
pub(crate) struct Hub {
    pub(super) settings: HubSettings,
    pub(super) accounts: Accounts,
    /// Our questions to the Hub.
    own: Client,
    /// Data from elsewhere: no header of ours but the range, one connection a request.
    cdn: Client,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum HubSetupError {
    /// The TLS or the HTTP client cannot be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[from] reqwest::Error),
    /// hf-hub refuses its settings.
    #[error("cannot set up the Hub client")]
    Hub(#[from] HFError),
    /// The token has characters that no token has.
    #[error("the Hub token from `{place}` has characters that cannot be sent")]
    BadToken {
        /// Where it came from.
        place: String,
    },
    /// The certificates cannot be read.
    #[error("cannot read the certificates in `{}`", .path.display())]
    BadCertificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Hub {
    /// Sets up the clients: reads the certificates, sends nothing. `cache` is told to hf-hub so that it looks nowhere
    /// else.
    pub(crate) fn new(settings: HubSettings, cache: &Path) -> Result<Self, HubSetupError> {
        let certificates = certificates(settings.ca_file.as_deref())?;
        let client = || client(&settings, certificates.as_deref());
        let endpoint = settings.endpoint.clone();
        let policy = Policy::custom(move |attempt| {
            let stays = attempt.url().origin() == endpoint.origin();
            if stays && attempt.previous().len() <= redirect::MAX_HOPS {
                attempt.follow()
            } else {
                attempt.stop()
            }
        });
        let maker = Maker {
            client: client()?.redirect(policy).build()?,
            endpoint: settings.endpoint.clone(),
            cache: cache.to_owned(),
            eavesdropper: eavesdropper(&settings),
        };
        Ok(Self {
            accounts: Accounts::new(maker, settings.token.as_ref())?,
            own: client()?.redirect(Policy::none()).build()?,
            cdn: client()?.redirect(Policy::none()).http1_only().build()?,
            settings,
        })
    }

    /// Whether nothing may be asked.
    pub(crate) fn is_offline(&self) -> bool {
        self.settings.is_offline
    }

    /// The proxy on the way to an address.
    pub(super) fn proxy(&self, url: &Url) -> Option<String> {
        self.settings.proxies.named_for(url)
    }

    pub(crate) fn limits(&self) -> &HubLimits {
        &self.settings.limits
    }

    /// The page of a repository, for a person.
    pub(crate) fn page(&self, repo: &str) -> String {
        let endpoint = self.settings.endpoint.as_str().trim_end_matches('/');
        format!("{endpoint}/{repo}")
    }

    /// The error of a Hub that gave no answer in time.
    pub(crate) fn silent(&self, repo: &RepoId) -> HubError {
        match self.api_url(repo, &[]) {
            Ok(url) => failure::no_headers(&url),
            Err(error) => error,
        }
    }

    /// Whether an address is the Hub's own: same scheme, host and port.
    pub(super) fn is_hub(&self, url: &Url) -> bool {
        url.origin() == self.settings.endpoint.origin()
    }

    /// Asks once, following nothing. Only the Hub's own origin sees the token.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: &Url,
        range: Option<&str>,
    ) -> Result<Response, HubError> {
        let account = self.accounts.current();
        self.ask_as(account.authorization.as_ref(), method, url, range)
            .await
    }

    pub(super) async fn ask_as(
        &self,
        authorization: Option<&HeaderValue>,
        method: Method,
        url: &Url,
        range: Option<&str>,
    ) -> Result<Response, HubError> {
        let client = if self.is_hub(url) {
            &self.own
        } else {
            &self.cdn
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(range) = range.and_then(|range| HeaderValue::from_str(range).ok()) {
            headers.insert(RANGE, range);
        }
        if self.is_hub(url)
            && let Some(authorization) = authorization
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let request = client.request(method.clone(), url.clone()).headers(headers);
        let response = self.within_headers_limit(url, request.send()).await?;
        tracing::debug!(
            http.method = %method,
            http.address = failure::address(url),
            http.status = response.status().as_u16(),
            http.range = range,
            "the hub answered"
        );
        match self.proxy(url) {
            Some(proxy) if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(failure::proxy_wants_login(url, &proxy))
            }
            _ => Ok(response),
        }
    }

    /// Asks the Hub and follows its redirects as long as they stay there.
    pub(super) async fn ask_following(
        &self,
        method: Method,
        url: Url,
    ) -> Result<Response, HubError> {
        let mut url = url;
        for _ in 0..=redirect::MAX_HOPS {
            let response = self.ask(method.clone(), &url, None).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            url = redirect::target(&url, response.headers())?;
            if !self.is_hub(&url) {
                return Err(failure::nonsense(&url, "the Hub's API redirects elsewhere"));
            }
        }
        Err(redirect::too_many(&url))
    }

    async fn within_headers_limit(
        &self,
        url: &Url,
        answer: impl Future<Output = Result<Response, reqwest::Error>>,
    ) -> Result<Response, HubError> {
        match tokio::time::timeout(self.settings.limits.headers, answer).await {
            Ok(answer) => {
                answer.map_err(|error| failure::of_request(error, url, self.proxy(url).as_deref()))
            }
            Err(_) => Err(failure::no_headers(url)),
        }
    }

    /// An address below `api/models/org/name` or `api/datasets/org/name`.
    pub(super) fn api_url(&self, repo: &RepoId, parts: &[&str]) -> Result<Url, HubError> {
        let kind = match repo.kind() {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        };
        let head = ["api", kind].into_iter().chain(repo.name().split('/'));
        self.url(head.chain(parts.iter().copied()))
    }

    /// The address of a file at a commit; each part is percent-encoded.
    pub(super) fn file_url(
        &self,
        repo: &RepoId,
        commit: &str,
        path: &str,
    ) -> Result<Url, HubError> {
        let kind = match repo.kind() {
            RepoKind::Model => None,
            RepoKind::Dataset => Some("datasets"),
        };
        let head = kind.into_iter().chain(repo.name().split('/'));
        self.url(head.chain(["resolve", commit]).chain(path.split('/')))
    }

    pub(super) fn url<'part>(
        &self,
        parts: impl Iterator<Item = &'part str>,
    ) -> Result<Url, HubError> {
        let mut url = self.settings.endpoint.clone();
        let Ok(mut segments) = url.path_segments_mut() else {
            let detail = "the endpoint cannot have a path";
            return Err(failure::nonsense(&self.settings.endpoint, detail));
        };
        segments.pop_if_empty().extend(parts);
        drop(segments);
        Ok(url)
    }
}

fn client(
    settings: &HubSettings,
    certificates: Option<&[Certificate]>,
) -> Result<ClientBuilder, reqwest::Error> {
    let client = Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.limits.connect)
        .referer(false)
        .dns_resolver(Arc::new(SystemResolver {
            limit: settings.limits.connect,
        }));
    let client = match certificates {
        Some(certificates) => client.tls_certs_only(certificates.iter().cloned()),
        None => client,
    };
    settings.proxies.lead(client)
}

/// A proxy reads what goes over plain http.
fn eavesdropper(settings: &HubSettings) -> Option<String> {
    let endpoint = &settings.endpoint;
    let is_plain = endpoint.scheme() == "http";
    is_plain.then(|| settings.proxies.named_for(endpoint))?
}

/// The certificates of a file in PEM; a file without one would refuse every server.
fn certificates(file: Option<&Path>) -> Result<Option<Vec<Certificate>>, HubSetupError> {
    let Some(path) = file else { return Ok(None) };
    let bad = |source| HubSetupError::BadCertificates {
        path: path.to_owned(),
        source,
    };
    let pem = std::fs::read(path).map_err(|error| bad(error.into()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| bad(error.into()))?;
    if found.is_empty() {
        return Err(bad("there is no certificate in it".into()));
    }
    Ok(Some(found))
}

/// The system's name look-up, with an error type of its own so that it can be told from a refused connection.
struct SystemResolver {
    limit: Duration,
}

/// A name could not be looked up.
#[derive(Debug, thiserror::Error)]
#[error("the name `{host}` cannot be looked up")]
pub(super) struct LookupFailed {
    host: String,
    #[source]
    source: std::io::Error,
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let limit = self.limit;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let lookup = tokio::net::lookup_host((host.as_str(), 0));
            let found = match tokio::time::timeout(limit, lookup).await {
                Ok(found) => found.map(Iterator::collect::<Vec<SocketAddr>>),
                Err(elapsed) => Err(elapsed.into()),
            };
            match found {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(source) => {
                    Err(Box::new(LookupFailed { host, source }) as Box<dyn Error + Send + Sync>)
                }
            }
        })
    }
}
