//! A proxy in front of a hive that also serves one page, so that page and hive are one origin, and that cuts an event
//! stream when it is told to.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// A cut stream has had this many bytes: the snapshot and the first events.
const CUT_AFTER_BYTES: u64 = 3_000;

/// One connection serves one request.
pub(super) struct Proxy {
    address: String,
    cut_next: Arc<AtomicBool>,
    results: mpsc::Receiver<String>,
    _accepting: JoinSet<()>,
}

#[derive(Clone)]
struct Ways {
    hive: String,
    page: Arc<String>,
    cut_next: Arc<AtomicBool>,
    results: mpsc::Sender<String>,
}

impl Proxy {
    /// Listens on a free port of loopback.
    pub(super) async fn start(hive: &str, page: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (sender, results) = mpsc::channel(1);
        let cut_next = Arc::new(AtomicBool::new(false));
        let ways = Ways {
            hive: hive.to_owned(),
            page: Arc::new(page),
            cut_next: Arc::clone(&cut_next),
            results: sender,
        };
        let address = listener.local_addr()?.to_string();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let ways = ways.clone();
                // A client that leaves early is no failure of ours.
                open.spawn(async move { ways.serve(client).await.ok() });
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            cut_next,
            results,
            _accepting: accepting,
        })
    }

    /// Where it listens, `ADDR:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The next event stream is cut.
    pub(super) fn cut_next_stream(&self) {
        self.cut_next.store(true, Ordering::Relaxed);
    }

    /// What the page has posted.
    pub(super) async fn result(&mut self) -> Result<String> {
        self.results.recv().await.context("the proxy is gone")
    }
}

impl Ways {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let (head, body) = read_head(&mut client).await?;
        let line = head.lines().next().unwrap_or_default();
        if line.starts_with("GET /page ") {
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
            client.write_all(answer.as_bytes()).await?;
            return client.write_all(self.page.as_bytes()).await;
        }
        if line.starts_with("POST /result ") {
            let mut result = body;
            let length = content_length(&head);
            (&mut client)
                .take(length.saturating_sub(result.len() as u64))
                .read_to_end(&mut result)
                .await?;
            client
                .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                .await?;
            let result = String::from_utf8_lossy(&result).into_owned();
            // Only the first one counts.
            let _ = self.results.try_send(result);
            return Ok(());
        }
        let mut hive = TcpStream::connect(&self.hive).await?;
        hive.write_all(closing(&head).as_bytes()).await?;
        hive.write_all(&body).await?;
        let is_stream = line.contains("/events ");
        if is_stream && self.cut_next.swap(false, Ordering::Relaxed) {
            copy(&mut hive.take(CUT_AFTER_BYTES), &mut client).await?;
            return Ok(());
        }
        copy_bidirectional(&mut client, &mut hive).await.map(|_| ())
    }
}

/// The head with its empty line, and what came of the body with it.
async fn read_head(client: &mut (impl AsyncRead + Unpin)) -> io::Result<(String, Vec<u8>)> {
    let mut received = Vec::new();
    loop {
        if let Some(at) = received.windows(4).position(|end| end == b"\r\n\r\n") {
            let body = received.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&received).into_owned(), body));
        }
        if client.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn content_length(head: &str) -> u64 {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

/// The same request, the last one of its connection.
fn closing(head: &str) -> String {
    let is_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
    let mut lines: Vec<&str> = head
        .trim_end()
        .lines()
        .filter(|line| !is_connection(line))
        .collect();
    lines.push("Connection: close");
    format!("{}\r\n\r\n", lines.join("\r\n"))
}
