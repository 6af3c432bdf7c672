//! A hive with folders of its own, stopped and gone at the end of its test.

use std::{collections::HashMap, ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use fake_hub::FakeHub;
use hive::{Config, Hive, OwnedStateFolder, Serve, Settings};
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct RunningHive {
    pub(crate) hive: Hive,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// Answers nothing until its script is released; the jobs of most tests never get further.
    pub(crate) hub: FakeHub,
    client: Client,
    folder: TempDir,
}

impl RunningHive {
    /// A hive whose Hub takes every request and answers none.
    pub(crate) async fn start() -> Self {
        Self::start_with(FakeHub::builder().start().await, |_| {}).await
    }

    pub(crate) async fn start_with(hub: FakeHub, change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = configuration(&folder, hub.endpoint());
        change(&mut config);
        let state = OwnedStateFolder::take(config.state.clone()).unwrap();
        let token = hive::read_or_create_local_token(state.names()).unwrap();
        let hive = Hive::start(config, state, &token).await.unwrap();
        let address = hive.addresses()[0];
        let client = Client::builder().timeout(LIMIT).no_proxy().build().unwrap();
        let token = token.expose_secret().to_owned();
        Self {
            hive,
            address,
            token,
            hub,
            client,
            folder,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state().join("hive.sock")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.stranger(method, path).bearer_auth(&self.token)
    }

    /// A request without the token.
    pub(crate) fn stranger(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// A POST that says everything by its path.
    pub(crate) async fn tell(&self, path: &str) -> Response {
        self.request(Method::POST, path).send().await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Response {
        self.request(Method::PATCH, path)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Submits a download and gives its id.
    pub(crate) async fn submit(&self, model: &str) -> String {
        let answer = self.post("/v1/jobs", &download_of(model)).await;
        assert_eq!(answer.status(), 202);
        let job: Value = answer.json().await.unwrap();
        job["job_id"].as_str().unwrap().to_owned()
    }

    /// Gives the folder, for what the hive has left in it.
    pub(crate) async fn stop(self) -> TempDir {
        tokio::time::timeout(LIMIT, self.hive.shut_down())
            .await
            .unwrap();
        self.folder
    }
}

/// Sends a request as it stands, and reads until the hive closes the connection.
pub(crate) async fn raw(address: SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn download_of(model: &str) -> Value {
    serde_json::json!({"operation": {"kind": "model_download", "model": model}})
}

/// A problem's code, after a look at what every problem has.
pub(crate) async fn code_of(answer: Response) -> String {
    let problem = problem_of(answer).await;
    problem["code"].as_str().unwrap().to_owned()
}

pub(crate) async fn problem_of(answer: Response) -> Value {
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert!(!headers.contains_key("access-control-allow-origin"));
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(
        headers["x-request-id"],
        problem["request_id"].as_str().unwrap()
    );
    let code = problem["code"].as_str().unwrap();
    assert_eq!(problem["type"], format!("urn:hive:problem:{code}"));
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    assert!(problem["retryable"].is_boolean());
    problem
}

fn configuration(folder: &TempDir, endpoint: &str) -> Config {
    let path = |name: &str| folder.path().join(name).into_os_string();
    let variables: HashMap<&str, OsString> = HashMap::from([
        ("HOME", path("home")),
        ("HIVE_STATE_DIR", path("state")),
        ("HF_HUB_CACHE", path("store")),
        ("HF_ENDPOINT", endpoint.into()),
    ]);
    let environment = move |name: &str| variables.get(name).cloned();
    let settings = Settings {
        listen: Some(vec!["127.0.0.1:0".to_owned()]),
        ..Settings::default()
    };
    let arguments = Serve {
        settings,
        ..Serve::default()
    };
    Config::resolve(&arguments, &environment).unwrap()
}
