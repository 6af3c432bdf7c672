//! The requests that have one answer.

use std::{sync::Arc, time::Duration};

use hive_api::{
    AuditPage, ChangeJob, CreatePairCode, CreateToken, Diagnosis, HiveInfo, HubAccount, Job, JobId,
    JobList, ModelList, NewToken, Pair, PairCode, Plan, RemovedModel, RunDoctor, SetHubToken,
    SubmitJob, TokenInfo, TokenList, paths,
};
use http::{HeaderValue, Method, header::AUTHORIZATION};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use url::Url;

use crate::{ClientError, Contact, Endpoint, answer};

/// The limit of an ordinary answer.
const LIMIT: Duration = Duration::from_secs(30);
/// The limit of what a hive asks the Hub for; it gives its own look-ups 30 s.
const HUB_LIMIT: Duration = Duration::from_mins(1);
/// The limit of a hive's look at itself: each of its own limits, one after the other.
const DOCTOR_LIMIT: Duration = Duration::from_mins(2);
/// Jobs of one page; the most that a hive gives.
const PAGE: u32 = 1_000;
/// More jobs are not listed: a hive keeps 10,000, and one that never stops giving pages is none.
const JOBS_MAX: usize = 20_000;
/// The limit of the answer whether anyone is there.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);

/// A hive that one can talk to. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct HiveClient {
    pub(crate) inner: Arc<Inner>,
}

/// What the clones share.
#[derive(Debug)]
pub(crate) struct Inner {
    /// What errors call the hive.
    pub(crate) hive: String,
    /// The address that routes are appended to.
    base: Url,
    /// No wait between two connections of an event stream is longer.
    pub(crate) longest_wait: Duration,
    /// The HTTP client of this hive alone.
    pub(crate) http: reqwest::Client,
    /// The `Authorization` header, marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only jobs in this state.
    pub state: Option<String>,
    /// Only jobs of this operation kind.
    pub kind: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// How to cancel a job.
#[derive(Clone, Copy, Debug, Default)]
pub struct CancelJob {
    /// Answer when the job has ended, or after this time; at once without it.
    pub wait: Option<Duration>,
    /// Also remove what was received.
    pub discard_partial: bool,
}

impl HiveClient {
    /// Prepares to talk to a hive; the first request makes the connection.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let authorization = match endpoint.token() {
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                    .map_err(|_| ClientError::BadAddress {
                        address: endpoint.describe(),
                        reason: "its token has characters that no token has".to_owned(),
                    })?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                hive: endpoint.describe(),
                base: endpoint.base()?,
                longest_wait: endpoint.longest_wait(),
                http: endpoint.http_client()?,
                authorization,
            }),
        })
    }

    /// What a download would fetch and what is here already.
    pub async fn plan(&self, job: &SubmitJob) -> Result<Plan, ClientError> {
        let request = self.request(Method::POST, self.route(paths::PLANS, &[]));
        self.answer(request.json(job), HUB_LIMIT).await
    }

    /// One job as it is now.
    pub async fn job(&self, id: JobId) -> Result<Job, ClientError> {
        self.get(&paths::job(id), &[]).await
    }

    /// One page of jobs, newest first.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<JobList, ClientError> {
        let limit = filter.limit.map(|limit| limit.to_string());
        let query: Vec<(&str, &str)> = [
            ("state", filter.state.as_deref()),
            ("kind", filter.kind.as_deref()),
            ("limit", limit.as_deref()),
            ("cursor", filter.cursor.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect();
        self.get(paths::JOBS, &query).await
    }

    /// Every job that the hive remembers, or every one in this state, newest first.
    pub async fn all_jobs(&self, state: Option<&str>) -> Result<Vec<Job>, ClientError> {
        let mut jobs = Vec::new();
        let mut cursor = None;
        loop {
            let filter = JobFilter {
                state: state.map(str::to_owned),
                limit: Some(PAGE),
                cursor,
                ..JobFilter::default()
            };
            let mut page = self.jobs(&filter).await?;
            jobs.append(&mut page.jobs);
            match page.next_cursor {
                Some(next) if jobs.len() < JOBS_MAX => cursor = Some(next),
                Some(_) | None => return Ok(jobs),
            }
        }
    }

    /// Tells a job to stop, and answers with the job in its state then. Repeatable.
    pub async fn cancel(&self, id: JobId, how: CancelJob) -> Result<Job, ClientError> {
        let wait = how.wait.map(|wait| wait.as_secs().to_string());
        let mut query = Vec::new();
        if let Some(wait) = &wait {
            query.push(("wait_seconds", wait.as_str()));
        }
        if how.discard_partial {
            query.push(("discard_partial", "true"));
        }
        let request = self.request(Method::DELETE, self.route(&paths::job(id), &query));
        self.answer(request, LIMIT + how.wait.unwrap_or_default())
            .await
    }

    /// Changes a job that has not ended, and answers with the job as it is then.
    pub async fn change(&self, id: JobId, change: &ChangeJob) -> Result<Job, ClientError> {
        let request = self.request(Method::PATCH, self.route(&paths::job(id), &[]));
        self.answer(request.json(change), LIMIT).await
    }

    /// Makes a job give back its slot and keep its bytes; answers when it is paused, or after `wait`, at once without
    /// it. Repeatable.
    pub async fn pause(&self, id: JobId, wait: Option<Duration>) -> Result<Job, ClientError> {
        let seconds = wait.map(|wait| wait.as_secs().to_string());
        let query: Vec<(&str, &str)> = seconds
            .iter()
            .map(|seconds| ("wait_seconds", seconds.as_str()))
            .collect();
        let request = self.request(Method::POST, self.route(&paths::job_pause(id), &query));
        self.answer(request, LIMIT + wait.unwrap_or_default()).await
    }

    /// Puts a paused job back into the queue.
    pub async fn resume(&self, id: JobId) -> Result<Job, ClientError> {
        let request = self.request(Method::POST, self.route(&paths::job_resume(id), &[]));
        self.answer(request, LIMIT).await
    }

    /// Everything the store holds.
    pub async fn models(&self) -> Result<ModelList, ClientError> {
        self.get(paths::MODELS, &[]).await
    }

    /// What the store holds of one repository, named `[datasets/]org/name`.
    pub async fn model(
        &self,
        repo: &str,
        revision: Option<&str>,
    ) -> Result<ModelList, ClientError> {
        self.get(paths::MODELS, &model_query(repo, revision)).await
    }

    /// Removes a repository, or one revision of it, from the store.
    pub async fn remove_model(
        &self,
        repo: &str,
        revision: Option<&str>,
    ) -> Result<RemovedModel, ClientError> {
        let route = self.route(paths::MODELS, &model_query(repo, revision));
        self.answer(self.request(Method::DELETE, route), LIMIT)
            .await
    }

    /// What the hive says about itself.
    pub async fn hive(&self) -> Result<HiveInfo, ClientError> {
        self.get(paths::HIVE, &[]).await
    }

    /// Has the hive look at itself and what it works with; it takes some seconds for that.
    pub async fn doctor(&self, what: &RunDoctor) -> Result<Diagnosis, ClientError> {
        let request = self.request(Method::POST, self.route(paths::DOCTOR, &[]));
        self.answer(request.json(what), DOCTOR_LIMIT).await
    }

    /// As whom the hive asks the Hub; it asks the Hub for that.
    pub async fn hub_account(&self) -> Result<HubAccount, ClientError> {
        let request = self.request(Method::GET, self.route(paths::HUB_TOKEN, &[]));
        self.answer(request, HUB_LIMIT).await
    }

    /// Gives the hive a token for the Hub, which the Hub accepts or else nothing changes.
    pub async fn set_hub_token(&self, token: &SecretString) -> Result<HubAccount, ClientError> {
        let body = SetHubToken {
            token: token.expose_secret().to_owned(),
        };
        let request = self.request(Method::PUT, self.route(paths::HUB_TOKEN, &[]));
        self.answer(request.json(&body), HUB_LIMIT).await
    }

    /// Makes the hive forget the token that it was given; one of its environment counts again.
    pub async fn forget_hub_token(&self) -> Result<HubAccount, ClientError> {
        let request = self.request(Method::DELETE, self.route(paths::HUB_TOKEN, &[]));
        self.answer(request, HUB_LIMIT).await
    }

    /// Makes a named token; the answer alone carries its secret.
    pub async fn create_token(&self, token: &CreateToken) -> Result<NewToken, ClientError> {
        self.post(paths::TOKENS, token).await
    }

    /// The named tokens, without their secrets.
    pub async fn tokens(&self) -> Result<TokenList, ClientError> {
        self.get(paths::TOKENS, &[]).await
    }

    /// Ends a token; answers when its event streams and sessions have ended.
    pub async fn revoke_token(&self, name: &str) -> Result<TokenInfo, ClientError> {
        let route = self.route(&paths::token(name), &[]);
        self.answer(self.request(Method::DELETE, route), LIMIT)
            .await
    }

    /// One page of what was done by whom, newest first.
    pub async fn audit(
        &self,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<AuditPage, ClientError> {
        let limit = limit.map(|limit| limit.to_string());
        let query: Vec<(&str, &str)> = [("limit", limit.as_deref()), ("cursor", cursor)]
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .collect();
        self.get(paths::AUDIT, &query).await
    }

    /// Makes a pairing code; one that was open before ends.
    pub async fn create_pair_code(&self, code: &CreatePairCode) -> Result<PairCode, ClientError> {
        self.post(paths::PAIR_CODES, code).await
    }

    /// Exchanges a pairing code for a token of one's own; needs none.
    pub async fn pair(&self, pair: &Pair) -> Result<NewToken, ClientError> {
        self.post(paths::PAIR, pair).await
    }

    /// Whether a hive answers at all.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.contact().await.map(drop)
    }

    /// Whether a hive answers at all, and what its answer tells about the way there.
    pub async fn contact(&self) -> Result<Contact, ClientError> {
        let request = self.request(Method::GET, self.route(paths::HEALTHZ, &[]));
        let asked = Instant::now();
        let response = self.send(request, HEALTH_LIMIT).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(Contact::of(&response, asked.elapsed()));
        }
        let body = answer::read_body(&self.inner.hive, HEALTH_LIMIT, response).await?;
        Err(answer::refusal(&self.inner.hive, status, &body))
    }

    /// The address of a route.
    pub(crate) fn route(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.inner.base.clone();
        url.set_path(&format!("{}{}", url.path(), path.trim_start_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// A request with the token on it.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.inner.http.request(method, url);
        match &self.inner.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        }
    }

    /// Sends a request and reads its whole answer within the limit.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        limit: Duration,
    ) -> Result<T, ClientError> {
        let response = self.send(request, limit).await?;
        answer::read(&self.inner.hive, limit, response).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.request(Method::POST, self.route(path, &[]));
        self.answer(request.json(body), LIMIT).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.answer(self.request(Method::GET, self.route(path, query)), LIMIT)
            .await
    }

    async fn send(
        &self,
        request: RequestBuilder,
        limit: Duration,
    ) -> Result<reqwest::Response, ClientError> {
        // The limit covers the body too: reqwest keeps counting while the answer is read.
        let sent = request.timeout(limit).send().await;
        sent.map_err(|error| answer::transport(&self.inner.hive, limit, error))
    }
}

/// The query that names a repository of the store.
fn model_query<'a>(repo: &'a str, revision: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut query = vec![("repo", repo)];
    query.extend(revision.map(|revision| ("revision", revision)));
    query
}
