//! One file of the Hub as a [`Source`]: resolves, renews what has expired, opens ranges and checks the answers.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use downloader::{
    ByteStream, Digest, OpenReason, RetryCause, Source, SourceError, SourceErrorKind,
};
use futures_util::TryStreamExt;
use model_store::{Commit, RepoId};
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_RANGE},
};
use url::Url;

use super::{Denial, Hub, HubError, Missing, failure, redirect};

/// How often a refused signed address is renewed before the refusal is believed.
const RENEWALS: usize = 3;

/// One file at a pinned commit, with the identity that it must have.
pub(crate) struct HubFile {
    pub(crate) hub: Arc<Hub>,
    pub(crate) repo: RepoId,
    pub(crate) commit: Commit,
    pub(crate) path: String,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    /// The address that last served it.
    pub(crate) address: Mutex<Option<Url>>,
}

/// An answer that may be read, or the news that a signed address is not accepted any more.
enum Answer {
    Body(Response),
    Expired(HubError),
}

impl Source for HubFile {
    async fn open(&self, range: Range<u64>, reason: OpenReason) -> Result<ByteStream, SourceError> {
        if let OpenReason::Retry { after } = reason
            && !matches!(after, RetryCause::Source(_))
        {
            // Wrong or missing bytes under an address that was accepted: another one may lead to a better place.
            self.set_address(None);
        }
        let mut expired = None;
        for _ in 0..=RENEWALS {
            let url = match self.address() {
                Some(url) => url,
                None => self.resolve().await?,
            };
            let answer = self.fetch(&url, &range).await;
            if !matches!(answer, Ok(Answer::Body(_))) {
                // Whatever went wrong, the next try asks the Hub anew.
                self.set_address(None);
            }
            match answer? {
                Answer::Body(response) => return Ok(stream(response, url)),
                Answer::Expired(error) => expired = Some(error),
            }
        }
        let expired = expired.unwrap_or_else(|| redirect::too_many(&self.hub.settings.endpoint));
        Err(expired.into())
    }
}

impl HubFile {
    /// Asks the Hub where the file is, and whether it is still the pinned one.
    async fn resolve(&self) -> Result<Url, HubError> {
        let resolved = self
            .hub
            .resolve(&self.repo, &self.commit, &self.path)
            .await?;
        if resolved.digest != Some(self.digest) {
            return Err(HubError::new(
                SourceErrorKind::Changed,
                failure::address(&resolved.url),
                format!("the hash of {} is not the pinned one", self.path),
            ));
        }
        self.set_address(Some(resolved.url.clone()));
        Ok(resolved.url)
    }

    async fn fetch(&self, url: &Url, range: &Range<u64>) -> Result<Answer, HubError> {
        let is_whole = *range == (0..self.bytes);
        let mut url = url.clone();
        for _ in 0..=redirect::MAX_HOPS {
            // Some CDNs refuse huge files without a range; the Hub itself serves small ones whole.
            let ranged = self.bytes > 0 && !(is_whole && self.hub.is_hub(&url));
            let header = ranged.then(|| format!("bytes={}-{}", range.start, range.end - 1));
            let response = self.hub.ask(Method::GET, &url, header.as_deref()).await?;
            let status = response.status();
            if status.is_redirection() {
                url = redirect::target(&url, response.headers())?;
            } else if is_expired(status) && !self.hub.is_hub(&url) {
                let denied = super::HubErrorKind::Denied(Denial::Forbidden);
                let detail = "the signed address is not accepted, also after it was renewed";
                return Ok(Answer::Expired(HubError::new(
                    denied,
                    failure::address(&url),
                    detail,
                )));
            } else if status.is_success() {
                self.check(&response, range)?;
                return Ok(Answer::Body(response));
            } else {
                return Err(failure::of_response(
                    &response,
                    self.hub.has_token(),
                    Missing::File,
                ));
            }
        }
        Err(redirect::too_many(&url))
    }

    /// Whether the answer is the range that was asked for, as it is.
    fn check(&self, response: &Response, range: &Range<u64>) -> Result<(), HubError> {
        let url = response.url();
        let headers = response.headers();
        match failure::text(headers, CONTENT_ENCODING.as_str()) {
            None | Some("identity") => {}
            Some(encoding) => {
                let encoding = failure::clean(encoding);
                return Err(failure::nonsense(
                    url,
                    format!("an answer encoded as {encoding}"),
                ));
            }
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let content_range =
                    failure::text(headers, CONTENT_RANGE.as_str()).unwrap_or_default();
                let expected = format!(
                    "bytes {}-{}/{}",
                    range.start,
                    range.end.saturating_sub(1),
                    self.bytes
                );
                if content_range.trim() == expected {
                    return Ok(());
                }
                let seen = failure::clean(content_range);
                Err(failure::nonsense(
                    url,
                    format!("the range `{seen}` instead of `{expected}`"),
                ))
            }
            StatusCode::OK if *range == (0..self.bytes) => Ok(()),
            status => Err(failure::nonsense(
                url,
                format!("status {status} to a range of the file"),
            )),
        }
    }

    fn address(&self) -> Option<Url> {
        self.address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_address(&self, url: Option<Url>) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = url;
    }
}

/// How a CDN answers when a signature is not, or no longer, accepted, or its object has moved.
fn is_expired(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE
    )
}

fn stream(response: Response, url: Url) -> ByteStream {
    Box::pin(response.bytes_stream().map_err(move |error| {
        let mut error = failure::of_request(error, &url);
        error.kind = SourceErrorKind::Cut.into();
        SourceError::from(error)
    }))
}
