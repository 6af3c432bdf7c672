//! Doors for the fuzz targets (`fuzz/`), there only in their builds: what reads the answers of the Hub and its CDN.

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use downloader::Digest;
use jiff::Timestamp;
use reqwest::{Response, header::HeaderMap};
use url::Url;

use crate::{
    Commit, HubSettings, HubSetupError, RepoId,
    hub::{self, Hub, HubFile},
};

/// How long the headers of an answer ask to wait.
pub fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    hub::wait(headers, now)
}

/// Where a redirect leads, if it is followed.
pub fn redirect_target(from: &Url, headers: &HeaderMap) -> Option<Url> {
    hub::redirect_target(from, headers).ok()
}

/// The files of a page of a listing, with their sizes, if it can be read.
pub fn listed(page: &[u8]) -> Option<Vec<(String, u64)>> {
    let files = hub::files_of_page(page).ok()?;
    Some(
        files
            .into_iter()
            .map(|file| (file.path, file.bytes))
            .collect(),
    )
}

/// A Hub that reads answers and is never asked.
pub struct AnswerReader {
    hub: Arc<Hub>,
    repo: RepoId,
    commit: Commit,
}

impl AnswerReader {
    /// A reader of the answers of such a Hub, about any file of this repository.
    pub fn new(settings: HubSettings, repo: RepoId, commit: Commit) -> Result<Self, HubSetupError> {
        let hub = Arc::new(Hub::new(settings, Path::new("nowhere"))?);
        Ok(Self { hub, repo, commit })
    }

    /// Whether `response` is taken for `range` of a file of `size_bytes` bytes.
    pub fn is_range(&self, response: &Response, range: &Range<u64>, size_bytes: u64) -> bool {
        let file = HubFile::new(
            Arc::clone(&self.hub),
            self.repo.clone(),
            self.commit.clone(),
            "file".to_owned(),
            (Digest::Sha256([0; 32]), size_bytes),
            None,
        );
        file.check(response, range).is_ok()
    }

    /// The next page of a listing, if there is one that may be asked for.
    pub fn next_page(&self, response: &Response) -> Option<Url> {
        self.hub.next_page(response).ok()?
    }
}
