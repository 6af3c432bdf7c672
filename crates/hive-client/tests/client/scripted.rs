//! A hive that answers each connection with the next step of a script, byte for byte.

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex},
};

use hive_api::{
    Event, Job, JobId, JobLinks, JobState, ModelDownload, Open, Operation, Phase, Priority,
    Progress, Snapshot,
};
use hive_client::{Endpoint, HiveClient, HttpEndpoint, Trust};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    task::JoinSet,
};
use url::Url;
use uuid::Uuid;

/// What the hive does with one connection, after it has read one request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends this and closes.
    Send(String),
    /// Sends this and keeps the connection open without a further byte.
    SendAndHold(String),
    /// Closes without a byte.
    Close,
    /// Answers a stream's request as a hive that has dropped every logged event up to this number.
    LogFrom(u64),
}

/// A running script; it ends with this value.
pub(crate) struct ScriptedHive {
    pub(crate) client: HiveClient,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl ScriptedHive {
    /// Over TCP.
    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = Endpoint::Http(HttpEndpoint {
            url: Url::parse(&format!("http://{address}")).unwrap(),
            token: Some("the-token".to_owned().into()),
            trust: Trust::SystemRoots,
            proxy: None,
        });
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut held = Vec::new();
            for step in steps {
                let (stream, _) = listener.accept().await.unwrap();
                held.extend(play(stream, step, &log).await.unwrap());
            }
            std::future::pending::<()>().await;
        });
        Self {
            client: HiveClient::connect(&endpoint).unwrap(),
            requests,
            _tasks: tasks,
        }
    }

    /// Over a unix socket.
    pub(crate) fn start_on_socket(path: &std::path::Path, steps: Vec<Step>) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut held = Vec::new();
            for step in steps {
                let (stream, _) = listener.accept().await.unwrap();
                held.extend(play(stream, step, &log).await.unwrap());
            }
            std::future::pending::<()>().await;
        });
        let endpoint = Endpoint::UnixSocket(path.to_owned());
        Self {
            client: HiveClient::connect(&endpoint).unwrap(),
            requests,
            _tasks: tasks,
        }
    }

    /// The heads and bodies of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The values that a header had, request by request.
    pub(crate) fn header(&self, name: &str) -> Vec<Option<String>> {
        let requests = self.requests();
        requests.iter().map(|one| value_of(name, one)).collect()
    }
}

/// The value of a request's header.
fn value_of(name: &str, request: &str) -> Option<String> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// Plays one step, and gives the connection back if it is to stay open.
async fn play<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    step: Step,
    log: &Mutex<Vec<String>>,
) -> io::Result<Option<S>> {
    let request = read_request(&mut stream).await?;
    log.lock().unwrap().push(request.clone());
    match step {
        Step::LogFrom(dropped) => {
            let asked = value_of("last-event-id", &request).and_then(|id| id.parse::<u64>().ok());
            let resumed = (asked < Some(dropped)).then_some(false);
            let snapshot = Event::Snapshot(Box::new(Snapshot {
                job: job(),
                resumed,
            }));
            let bytes = event_stream(&[frame(asked.unwrap_or(0), &snapshot)]);
            let _ = stream.write_all(bytes.as_bytes()).await;
            Ok(None)
        }
        Step::Close => Ok(None),
        // A client that has seen enough may be gone before the last byte.
        Step::Send(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
            Ok(None)
        }
        Step::SendAndHold(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            Ok(Some(stream))
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(String::from_utf8_lossy(&request).into_owned());
        }
    }
}

/// A whole answer with a body.
pub(crate) fn answer(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

/// A whole answer with a JSON body.
pub(crate) fn json(status: &str, value: &impl serde::Serialize) -> String {
    answer(
        status,
        "application/json",
        &serde_json::to_string(value).unwrap(),
    )
}

/// The head of an event stream and these frames; it ends when the connection does.
pub(crate) fn event_stream(frames: &[String]) -> String {
    let mut bytes = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                     connection: close\r\n\r\n"
        .to_owned();
    for frame in frames {
        bytes.push_str(frame);
    }
    bytes
}

/// One frame.
pub(crate) fn frame(id: u64, event: &Event) -> String {
    let data = event.data().unwrap();
    let mut frame = String::new();
    write!(
        frame,
        "retry: 100\nevent: {}\nid: {id}\ndata: {data}\n\n",
        event.name()
    )
    .unwrap();
    frame
}

/// A running job whose heartbeats come every second.
pub(crate) fn job() -> Job {
    let job_id = JobId::new(Uuid::from_u128(0x9f_3c41));
    Job {
        job_id,
        operation: Open::Known(Operation::ModelDownload(ModelDownload {
            model: "a/b".into(),
            ..ModelDownload::default()
        })),
        state: JobState::Running.into(),
        phase: Some(Phase::Downloading.into()),
        attempt: 1,
        sequence: 6,
        priority: Priority::Normal.into(),
        limit_bytes_per_second: None,
        queue_position: None,
        submitted_by: "local".into(),
        created_at: jiff::Timestamp::from_second(1_800_000_000).unwrap(),
        started_at: None,
        finished_at: None,
        plan: None,
        progress: Progress::default(),
        last_activity_at: None,
        error: None,
        result: None,
        partial_bytes_kept: 0,
        heartbeat_seconds: 1,
        links: JobLinks::of(job_id),
    }
}

/// The job at its end.
pub(crate) fn ended(state: JobState) -> Job {
    Job {
        state: state.into(),
        sequence: 9,
        ..job()
    }
}

/// The first frame of every connection.
pub(crate) fn snapshot(id: u64) -> String {
    frame(
        id,
        &Event::Snapshot(Box::new(Snapshot {
            job: job(),
            resumed: None,
        })),
    )
}

/// The last frame.
pub(crate) fn succeeded() -> String {
    let job = Box::new(ended(JobState::Succeeded));
    frame(9, &Event::Succeeded(job))
}
