//! The listing of a commit with sizes and hashes, page by page.
//!
//! An own call: hf-hub reads the listing without the sha256 of large files (`lfs.oid`).

use downloader::Digest;
use futures_util::TryStreamExt;
use model_store::{Commit, RepoId};
use reqwest::{Method, Response, header::LINK};
use serde::Deserialize;
use url::Url;

use super::{Hub, HubError, Missing, failure};

/// The most pages that are read; a page has a thousand entries.
const MAX_PAGES: usize = 500;

/// The largest page that is read.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// A file of the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// The sha256 of a large file, the git blob sha1 of a small one.
    pub(crate) digest: Option<Digest>,
}

/// An entry on the wire (the Hub's API documentation, `GET /api/models/{repo}/tree/{rev}`).
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: Option<String>,
    #[serde(default)]
    size: u64,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

impl Hub {
    /// Lists a commit. The caller limits the time.
    pub(crate) async fn tree(
        &self,
        repo: &RepoId,
        commit: &Commit,
    ) -> Result<Vec<TreeFile>, HubError> {
        let mut url = self.api_url(repo, &["tree", commit.as_str()])?;
        url.set_query(Some("recursive=true&expand=false"));
        let mut files = Vec::new();
        for _ in 0..MAX_PAGES {
            let response = self.ask_following(Method::GET, url.clone()).await?;
            if !response.status().is_success() {
                return Err(failure::of_response(
                    &response,
                    self.has_token(),
                    Missing::Revision,
                ));
            }
            let next = self.next_page(&response)?;
            let page = read_body(response, &url).await?;
            files.extend(files_of_page(&page).map_err(|error| {
                failure::nonsense(&url, format!("a listing that cannot be read: {error}"))
            })?);
            match next {
                Some(next) => url = next,
                None => return Ok(files),
            }
        }
        Err(failure::nonsense(&url, "a listing without end"))
    }

    /// The next page, which must be the Hub's: the token goes along.
    pub(crate) fn next_page(&self, response: &Response) -> Result<Option<Url>, HubError> {
        let Some(next) = failure::text(response.headers(), LINK.as_str()).and_then(next_link)
        else {
            return Ok(None);
        };
        match response.url().join(next) {
            Ok(url) if self.is_hub(&url) => Ok(Some(url)),
            _ => Err(failure::nonsense(
                response.url(),
                "the next page of the listing is elsewhere",
            )),
        }
    }
}

/// The files of one page; folders are left out.
pub(crate) fn files_of_page(page: &[u8]) -> Result<Vec<TreeFile>, serde_json::Error> {
    let entries: Vec<Entry> = serde_json::from_slice(page)?;
    Ok(entries.into_iter().filter_map(Entry::into_file).collect())
}

impl Entry {
    fn into_file(self) -> Option<TreeFile> {
        if self.kind != "file" {
            return None;
        }
        let (hash, bytes) = match self.lfs {
            Some(lfs) => (Some(lfs.oid), lfs.size),
            None => (self.oid, self.size),
        };
        Some(TreeFile {
            path: self.path,
            bytes,
            digest: hash.and_then(|hash| Digest::from_hex(&hash).ok()),
        })
    }
}

/// The address that a `Link` header (RFC 8288) gives for `rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let end = header.find(">; rel=\"next\"")?;
    let start = header[..end].rfind('<')?;
    Some(&header[start + 1..end])
}

/// An answer's body, which has an end. The caller limits the time.
pub(super) async fn read_body(response: Response, url: &Url) -> Result<Vec<u8>, HubError> {
    let mut whole = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(bytes) = body
        .try_next()
        .await
        .map_err(|error| failure::of_request(error, url, None))?
    {
        if whole.len() + bytes.len() > MAX_BODY_BYTES {
            return Err(failure::nonsense(url, "an answer without end"));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_has_its_sha256_and_a_small_one_its_git_hash() {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sha1 = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        let listing = serde_json::json!([
            {"type": "directory", "oid": sha1, "size": 0, "path": "folder"},
            {"type": "file", "oid": sha1, "size": 4, "path": "config.json"},
            {"type": "file", "oid": sha1, "size": 9, "path": "model.gguf",
             "lfs": {"oid": sha256, "size": 9, "pointerSize": 135}, "xetHash": "00"},
            {"type": "file", "size": 1, "path": "unhashed"},
        ]);
        let files = files_of_page(listing.to_string().as_bytes()).unwrap();
        let seen: Vec<_> = files
            .iter()
            .map(|file| {
                (
                    file.path.as_str(),
                    file.bytes,
                    file.digest.map(|digest| digest.to_string()),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("config.json", 4, Some(sha1.to_owned())),
                ("model.gguf", 9, Some(sha256.to_owned())),
                ("unhashed", 1, None),
            ]
        );
    }

    #[test]
    fn the_next_page_is_the_one_that_the_link_names() {
        for (header, next) in [
            (
                "<https://h/x?cursor=a,b>; rel=\"next\"",
                Some("https://h/x?cursor=a,b"),
            ),
            (
                "<https://h/0>; rel=\"prev\", <https://h/2>; rel=\"next\"",
                Some("https://h/2"),
            ),
            ("<https://h/0>; rel=\"prev\"", None),
            ("", None),
        ] {
            assert_eq!(next_link(header), next, "{header}");
        }
    }
}
