//! The commit that a revision points to, asked through hf-hub.

use std::time::Duration;

use downloader::SourceErrorKind;
use hf_hub::{HFError, repository::RepoSibling};
use model_store::{Commit, RepoId, RepoKind};
use reqwest::{Method, StatusCode};
use url::Url;

use super::{Hub, HubError, HubErrorKind, Missing, failure};

/// A revision's commit and the names of its files.
#[derive(Clone, Debug)]
pub(crate) struct PinnedCommit {
    /// The commit.
    pub(crate) commit: Commit,
    /// The paths of its files, without sizes.
    pub(crate) names: Vec<String>,
}

impl Hub {
    /// Asks once which commit a revision points to.
    pub(crate) async fn pin(
        &self,
        repo: &RepoId,
        revision: &str,
    ) -> Result<PinnedCommit, HubError> {
        let url = self.api_url(repo, &["revision", revision])?;
        let limits = &self.settings.limits;
        let answer = tokio::time::timeout(limits.headers, self.info(repo, revision)).await;
        let (sha, siblings) = match answer {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(self.with_wait(self.hub_error(error, &url), &url).await),
            Err(_) => return Err(failure::no_headers(&url)),
        };
        let commit = sha
            .as_deref()
            .and_then(|sha| Commit::new(sha).ok())
            .ok_or_else(|| failure::nonsense(&url, "the answer names no commit"))?;
        let names = siblings.unwrap_or_default();
        Ok(PinnedCommit {
            commit,
            names: names.into_iter().map(|file| file.rfilename).collect(),
        })
    }

    async fn info(
        &self,
        repo: &RepoId,
        revision: &str,
    ) -> Result<(Option<String>, Option<Vec<RepoSibling>>), HFError> {
        let account = self.accounts.current();
        let (owner, name) = hf_hub::split_id(repo.name());
        match repo.kind() {
            RepoKind::Model => {
                let info = account
                    .api
                    .model(owner, name)
                    .info()
                    .revision(revision)
                    .send()
                    .await?;
                Ok((info.sha, info.siblings))
            }
            RepoKind::Dataset => {
                let info = account
                    .api
                    .dataset(owner, name)
                    .info()
                    .revision(revision)
                    .send()
                    .await?;
                Ok((info.sha, info.siblings))
            }
        }
    }

    /// hf-hub passes on a `Retry-After` in seconds, and neither one with a date nor `RateLimit`: for these the same
    /// address is asked once more by hand. An answer that is none of a busy Hub says that there is nothing to wait for.
    async fn with_wait(&self, mut error: HubError, url: &Url) -> HubError {
        let is_busy = error.kind == HubErrorKind::Transfer(SourceErrorKind::RateLimited);
        if !is_busy || error.retry_after.is_some() {
            return error;
        }
        error.retry_after = match self.ask_following(Method::GET, url.clone()).await {
            Ok(answer) if answer.status().is_success() => Some(Duration::ZERO),
            Ok(answer) => {
                failure::of_response(&answer, self.has_token(), Missing::Repository).retry_after
            }
            Err(_) => None,
        };
        error
    }

    /// hf-hub types its errors by the call, the Hub by `X-Error-Code`: the latter is what counts.
    fn hub_error(&self, error: HFError, url: &Url) -> HubError {
        let (context, retry_after) = match error {
            HFError::Request { source, .. } => {
                return failure::of_request(source, url, self.proxy(url).as_deref());
            }
            HFError::Http { context }
            | HFError::AuthRequired { context }
            | HFError::Forbidden { context }
            | HFError::Conflict { context } => (Some(context), None),
            HFError::RateLimited {
                context,
                retry_after,
            } => (Some(context), retry_after),
            HFError::RepoNotFound { context, .. }
            | HFError::RevisionNotFound { context, .. }
            | HFError::EntryNotFound { context, .. } => (context, None),
            other => return failure::nonsense(url, other.to_string()),
        };
        let Some(context) = context else {
            let missing = HubErrorKind::Missing(Missing::Repository);
            return HubError::new(missing, failure::address(url), "not found");
        };
        let status = StatusCode::from_u16(context.status.as_u16()).unwrap_or_default();
        let code = context.error_code.as_deref();
        if let Some(proxy) = self.proxy(url)
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return failure::proxy_wants_login(url, &proxy);
        }
        let kind =
            failure::kind_of_status(status, code, self.has_token(), Missing::Repository.into());
        let message = context
            .server_message
            .as_deref()
            .unwrap_or_else(|| status.as_str());
        let mut hub_error = HubError::new(kind, failure::address(url), failure::clean(message));
        hub_error.retry_after = retry_after;
        hub_error
    }
}
