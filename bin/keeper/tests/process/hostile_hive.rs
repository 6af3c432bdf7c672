//! A hive that means harm: the documentation's own examples, with every text or every number made worse.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet, time::interval};

/// Fields that a client reads as more than text; nothing is shown of what it could not read.
const TYPED: [&str; 5] = ["at", "job_id", "kind", "links", "type"];

pub(crate) struct HostileHive {
    pub(crate) address: String,
    _server: JoinSet<()>,
}

/// What a hive does to a value of its answers, and whether its streams end.
#[derive(Clone)]
struct Harm {
    change: Arc<dyn Fn(&mut Value) + Send + Sync>,
    has_end: bool,
}

impl HostileHive {
    /// Adds this to every text.
    pub(crate) async fn that_writes(poison: &'static str) -> Self {
        Self::start(true, move |value| {
            if let Value::String(text) = value {
                text.push_str(poison);
            }
        })
        .await
    }

    /// Puts this in the place of every number.
    pub(crate) async fn that_counts(number: Value) -> Self {
        Self::start(true, move |value| {
            if value.is_number() {
                *value = number.clone();
            }
        })
        .await
    }

    /// Logs as fast as it is read, and never ends a job.
    pub(crate) async fn that_never_ends() -> Self {
        Self::start(false, |_| {}).await
    }

    async fn start(has_end: bool, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        let change = Arc::new(change);
        let router = Router::new()
            .fallback(answer)
            .with_state(Harm { change, has_end });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            _server: server,
        }
    }
}

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("../../../../docs/api/", $name, ".json"))
    };
}

async fn answer(State(harm): State<Harm>, request: Request) -> Response {
    let path = request.uri().path();
    let is = |method: Method| *request.method() == method;
    let (status, example) = match path {
        _ if path.ends_with("/events") => return harm.stream(),
        "/v1/jobs" if is(Method::POST) => (StatusCode::ACCEPTED, example!("job")),
        "/v1/jobs" => (StatusCode::OK, example!("job_list")),
        "/v1/hive" => (StatusCode::OK, example!("hive_info")),
        "/v1/plans" => (StatusCode::OK, example!("plan")),
        _ if path.starts_with("/v1/jobs/") => (StatusCode::OK, example!("job")),
        _ => (StatusCode::NOT_FOUND, example!("problem")),
    };
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, harm.done_to(example)).into_response()
}

impl Harm {
    fn done_to(&self, example: &str) -> String {
        let mut value = serde_json::from_str(example).unwrap();
        self.walk(&mut value);
        value.to_string()
    }

    fn walk(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.walk(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if !TYPED.contains(&name.as_str()) && !name.ends_with("_at") {
                        self.walk(value);
                    }
                }
            }
            _ => (self.change)(value),
        }
    }

    fn frame(&self, id: usize, name: &str, example: &str) -> Bytes {
        let data = self.done_to(example);
        Bytes::from(format!("event: {name}\nid: {id}\ndata: {data}\n\n"))
    }

    fn stream(self) -> Response {
        let story = [
            ("snapshot", example!("event_snapshot")),
            ("state", example!("event_state")),
            ("phase", example!("event_phase")),
            ("log", example!("event_log")),
            ("progress", example!("event_progress")),
            ("heartbeat", example!("event_heartbeat")),
            ("something", example!("event_log")),
        ];
        let harm = self.clone();
        let story = stream::iter(story.into_iter().enumerate())
            .map(move |(at, (name, example))| harm.frame(at + 1, name, example));
        let end = if self.has_end {
            stream::iter([self.frame(8, "failed", example!("job_failed"))]).boxed()
        } else {
            let state = (self, interval(Duration::from_millis(1)), 8);
            let logs = stream::unfold(state, |(harm, mut ticks, at)| async move {
                ticks.tick().await;
                let frame = harm.frame(at, "log", example!("event_log"));
                Some((frame, (harm, ticks, at + 1)))
            });
            logs.boxed()
        };
        let content_type = [(header::CONTENT_TYPE, "text/event-stream")];
        (
            content_type,
            Body::from_stream(story.chain(end).map(Ok::<_, Infallible>)),
        )
            .into_response()
    }
}
