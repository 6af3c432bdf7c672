//! One file of the Hub as a [`Source`]: resolves, renews what has expired, opens ranges and checks the answers.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use downloader::{
    ByteStream, Digest, OpenReason, RetryCause, Source, SourceError, SourceErrorKind,
};
use futures_util::TryStreamExt;
use model_store::{Commit, RepoId};
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG},
};
use tokio::sync::Semaphore;
use url::Url;

use super::{Denial, Hub, HubError, failure, failure::BARE_404_OF_A_LISTED_FILE, redirect};

/// How often a refused signed address is renewed before the refusal is believed.
const RENEWALS: usize = 3;

/// Answers with the whole file to a range of it before the source is taken for one that serves no ranges. One may be
/// a slip of a cache.
const WHOLES: u32 = 2;

/// One file at a pinned commit, with the identity that it must have.
pub(crate) struct HubFile {
    hub: Arc<Hub>,
    repo: RepoId,
    commit: Commit,
    path: String,
    digest: Digest,
    bytes: u64,
    /// The address that last served it.
    address: Mutex<Option<Address>>,
    /// Many ranges that miss an address ask for it once.
    resolving: Semaphore,
    /// How often in a row a range was answered with the whole file.
    wholes: AtomicU32,
}

/// Where a file is, for as long as its signature is accepted.
#[derive(Clone, Debug)]
struct Address {
    url: Url,
    /// The entity tag of its first answer: all ranges under one address must be of one entity. It says nothing of the
    /// entity's bytes, and another address may have another one.
    etag: Option<String>,
}

/// Where a range is to be had.
enum Located {
    /// In the Hub's own answer, from this address.
    Here(Response, Url),
    /// At this address.
    At(Address),
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
            *self.address() = None;
        }
        let mut expired = None;
        for _ in 0..=RENEWALS {
            let address = match self.locate(&range).await? {
                Located::Here(answer, url) => return Ok(stream(answer, url)),
                Located::At(address) => address,
            };
            let answer = self.fetch(&address, &range).await;
            if !matches!(answer, Ok(Answer::Body(_))) {
                // Whatever went wrong, the next try asks the Hub anew.
                self.forget(&address.url);
            }
            match answer? {
                Answer::Body(response) => return Ok(stream(response, address.url)),
                Answer::Expired(error) => expired = Some(error),
            }
        }
        let expired = expired.unwrap_or_else(|| redirect::too_many(&self.hub.settings.endpoint));
        Err(expired.into())
    }

    fn serves_ranges(&self) -> bool {
        self.wholes.load(Ordering::Relaxed) < WHOLES
    }
}

impl HubFile {
    /// A file of `bytes` bytes with this hash; `url` is where it is, when that is known.
    pub(crate) fn new(
        hub: Arc<Hub>,
        repo: RepoId,
        commit: Commit,
        path: String,
        (digest, bytes): (Digest, u64),
        url: Option<Url>,
    ) -> Self {
        Self {
            hub,
            repo,
            commit,
            path,
            digest,
            bytes,
            address: Mutex::new(url.map(Address::new)),
            resolving: Semaphore::new(1),
            wholes: AtomicU32::new(0),
        }
    }

    /// Where the range is to be had. Without a known address the Hub is asked for the range itself: it leads to one, or
    /// serves the file on the spot, which is one round trip for each small file.
    async fn locate(&self, range: &Range<u64>) -> Result<Located, HubError> {
        // A semaphore that is never closed always gives its permit.
        let _one_asks = self.resolving.acquire().await;
        let known = self.address().clone();
        match known {
            Some(address) => Ok(Located::At(address)),
            None => self.ask_hub(range).await,
        }
    }

    /// Asks the Hub for the file, and whether it is still the pinned one. Another one is not believed at once.
    async fn ask_hub(&self, range: &Range<u64>) -> Result<Located, HubError> {
        let (hub, commit) = (&self.hub, &self.commit);
        let file = hub.file_url(&self.repo, commit.as_str(), &self.path)?;
        let wanted = self.range_header(range, &file);
        let ask = || hub.lead(Method::GET, file.clone(), commit, wanted.as_deref());
        let mut lead = ask().await?;
        if lead.resolved.digest != Some(self.digest) {
            lead = ask().await?;
        }
        if lead.resolved.digest != Some(self.digest) {
            return Err(HubError::new(
                SourceErrorKind::Changed,
                failure::address(&lead.resolved.url),
                format!("the hash of {} is not the pinned one", self.path),
            ));
        }
        let address = Address::new(lead.resolved.url);
        if let Some(answer) = &lead.answer {
            self.check(answer, range)?;
        }
        *self.address() = Some(address.clone());
        Ok(match lead.answer {
            Some(answer) => {
                self.check_entity(&address.url, &answer)?;
                Located::Here(answer, address.url)
            }
            None => Located::At(address),
        })
    }

    /// Some CDNs refuse huge files without a range; the Hub itself serves small ones whole.
    fn range_header(&self, range: &Range<u64>, url: &Url) -> Option<String> {
        let is_whole = *range == (0..self.bytes);
        let is_ranged = self.bytes > 0 && !(is_whole && self.hub.is_hub(url));
        is_ranged.then(|| format!("bytes={}-{}", range.start, range.end - 1))
    }

    async fn fetch(&self, address: &Address, range: &Range<u64>) -> Result<Answer, HubError> {
        let mut url = address.url.clone();
        for _ in 0..=redirect::MAX_HOPS {
            let wanted = self.range_header(range, &url);
            let response = self.hub.ask(Method::GET, &url, wanted.as_deref()).await?;
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
                self.check_entity(&address.url, &response)?;
                return Ok(Answer::Body(response));
            } else {
                return Err(failure::of_response(
                    &response,
                    self.hub.has_token(),
                    BARE_404_OF_A_LISTED_FILE,
                ));
            }
        }
        Err(redirect::too_many(&url))
    }

    /// Whether the answer is the range that was asked for, as it is.
    pub(crate) fn check(&self, response: &Response, range: &Range<u64>) -> Result<(), HubError> {
        let url = response.url();
        let headers = response.headers();
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        if let Some(encoding) = encodings.find(|encoding| *encoding != "identity") {
            let encoding = failure::clean(&String::from_utf8_lossy(encoding.as_bytes()));
            return Err(failure::nonsense(
                url,
                format!("an answer encoded as {encoding}"),
            ));
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                // Two that contradict each other are none.
                let is_one = headers.get_all(CONTENT_RANGE).iter().count() == 1;
                let content_range = failure::text(headers, CONTENT_RANGE.as_str());
                let content_range = content_range.filter(|_| is_one).unwrap_or_default();
                let expected = format!(
                    "bytes {}-{}/{}",
                    range.start,
                    range.end.saturating_sub(1),
                    self.bytes
                );
                if content_range.trim() == expected {
                    self.wholes.store(0, Ordering::Relaxed);
                    return Ok(());
                }
                let seen = failure::clean(content_range);
                Err(failure::nonsense(
                    url,
                    format!("the range `{seen}` instead of `{expected}`"),
                ))
            }
            StatusCode::OK if *range == (0..self.bytes) => Ok(()),
            StatusCode::OK => {
                self.wholes.fetch_add(1, Ordering::Relaxed);
                Err(failure::nonsense(url, "the whole file instead of a range"))
            }
            status => Err(failure::nonsense(
                url,
                format!("status {status} to a range of the file"),
            )),
        }
    }

    /// Whether the answer is of the entity that this address has led to so far.
    fn check_entity(&self, url: &Url, response: &Response) -> Result<(), HubError> {
        let Some(seen) = failure::text(response.headers(), ETAG.as_str()) else {
            return Ok(());
        };
        let mut address = self.address();
        let Some(address) = address.as_mut().filter(|address| address.url == *url) else {
            return Ok(());
        };
        let known = address.etag.get_or_insert_with(|| seen.to_owned());
        if known == seen {
            return Ok(());
        }
        Err(failure::nonsense(
            url,
            "another file under the same address",
        ))
    }

    /// Takes an address out of use, unless another has taken its place already.
    fn forget(&self, url: &Url) {
        let mut address = self.address();
        if address.as_ref().is_some_and(|address| address.url == *url) {
            *address = None;
        }
    }

    fn address(&self) -> MutexGuard<'_, Option<Address>> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    const fn new(url: Url) -> Self {
        Self { url, etag: None }
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
        let mut error = failure::of_request(error, &url, None);
        error.kind = SourceErrorKind::Cut.into();
        SourceError::from(error)
    }))
}
