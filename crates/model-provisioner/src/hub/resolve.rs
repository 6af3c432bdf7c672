//! Where the bytes of a file are, what they hash to and how many they are: by hand, hop by hop.

use downloader::{Digest, SourceErrorKind};
use model_store::{Commit, RepoId};
use reqwest::{
    Method, Response,
    header::{CONTENT_LENGTH, ETAG, HeaderMap},
};
use url::Url;

use super::{Hub, HubError, failure, failure::BARE_404_OF_A_LISTED_FILE, redirect};

/// A resolved file.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// Where the bytes are: the Hub itself for small files, a signed address elsewhere for large ones.
    pub(crate) url: Url,
    /// Their hash.
    pub(crate) digest: Option<Digest>,
    /// Their number.
    pub(crate) bytes: Option<u64>,
}

/// What the hops before the last said about the file.
#[derive(Default)]
struct Linked {
    etag: Option<String>,
    size: Option<u64>,
}

/// Where the Hub's redirects lead.
pub(super) struct Lead {
    /// What they say about the file.
    pub(super) resolved: Resolved,
    /// The answer at their end if the Hub serves the file itself; elsewhere nobody was asked.
    pub(super) answer: Option<Response>,
}

impl Hub {
    /// Asks where a file is, without its bytes.
    pub(crate) async fn resolve(
        &self,
        repo: &RepoId,
        commit: &Commit,
        path: &str,
    ) -> Result<Resolved, HubError> {
        let url = self.file_url(repo, commit.as_str(), path)?;
        let lead = self.lead(Method::HEAD, url, commit, None).await?;
        Ok(lead.resolved)
    }

    /// Follows the Hub's redirects as long as they stay on the Hub, and reads what its headers say. `range` is what a
    /// `GET` wants of the file.
    pub(super) async fn lead(
        &self,
        method: Method,
        file: Url,
        commit: &Commit,
        range: Option<&str>,
    ) -> Result<Lead, HubError> {
        let mut url = file;
        let mut linked = Linked::default();
        for _ in 0..=redirect::MAX_HOPS {
            let response = self.ask(method.clone(), &url, range).await?;
            let headers = response.headers();
            if !response.status().is_redirection() && !response.status().is_success() {
                return Err(failure::of_response(
                    &response,
                    self.has_token(),
                    BARE_404_OF_A_LISTED_FILE,
                ));
            }
            check_commit(headers, commit, &url)?;
            linked.read(headers);
            if response.status().is_success() {
                let size = number(headers, CONTENT_LENGTH.as_str());
                let resolved = linked.into_resolved(url, headers, size);
                let answer = Some(response);
                return Ok(Lead { resolved, answer });
            }
            let next = redirect::target(&url, headers)?;
            if !self.is_hub(&next) {
                // The length of this answer is that of the redirect, not of the file.
                let resolved = linked.into_resolved(next, headers, None);
                let answer = None;
                return Ok(Lead { resolved, answer });
            }
            url = next;
        }
        Err(redirect::too_many(&url))
    }
}

impl Linked {
    fn read(&mut self, headers: &HeaderMap) {
        self.etag = self.etag.take().or_else(|| etag(headers, "x-linked-etag"));
        self.size = self.size.or_else(|| number(headers, "x-linked-size"));
    }

    /// The linked values win over those of the last answer.
    fn into_resolved(self, url: Url, last: &HeaderMap, size: Option<u64>) -> Resolved {
        let etag = self.etag.or_else(|| etag(last, ETAG.as_str()));
        Resolved {
            url,
            digest: etag.and_then(|etag| Digest::from_hex(&etag).ok()),
            bytes: self.size.or(size),
        }
    }
}

/// A resolve at a pinned commit that answers for another one is an answer about another file.
fn check_commit(headers: &HeaderMap, commit: &Commit, url: &Url) -> Result<(), HubError> {
    match failure::text(headers, "x-repo-commit") {
        Some(seen) if seen != commit.as_str() => Err(HubError::new(
            SourceErrorKind::Changed,
            failure::address(url),
            format!("the answer is for commit {}", failure::clean(seen)),
        )),
        _ => Ok(()),
    }
}

/// An entity tag without its quotes and its mark of weakness.
fn etag(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = failure::text(headers, name)?.trim();
    Some(value.trim_start_matches("W/").trim_matches('"').to_owned())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    failure::text(headers, name)?.trim().parse().ok()
}
