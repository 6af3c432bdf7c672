//! A proxy that tells what it should keep to itself.

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::PROXY_PASSWORD;

/// A proxy that wants another login, and repeats the one that it was given.
pub(super) struct EchoingProxy {
    pub(super) address: String,
    _serving: JoinSet<()>,
}

impl EchoingProxy {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 8192];
                let length = stream.read(&mut head).await.unwrap_or_default();
                let echo = String::from_utf8_lossy(&head[..length]).into_owned();
                let answer = format!(
                    "HTTP/1.1 407 Login Wanted {PROXY_PASSWORD}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{echo}",
                    echo.len()
                );
                // One that left has nothing to hear.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Ok(Self {
            address,
            _serving: serving,
        })
    }
}
