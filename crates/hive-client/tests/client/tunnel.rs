//! A proxy that makes tunnels, and remembers what it was told.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A proxy on loopback, gone with this value.
pub(crate) struct Tunnel {
    pub(crate) port: u16,
    told: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Tunnel {
    /// Connects every client to this port of loopback, or refuses all where there is none.
    pub(crate) async fn open(target: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut task = JoinSet::new();
        let heard = Arc::clone(&told);
        task.spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let request = head(&mut client).await;
                heard.lock().unwrap().push(request);
                match target {
                    Some(port) => pass(&mut client, port).await,
                    None => refuse(&mut client).await,
                }
            }
        });
        Self {
            port,
            told,
            _task: task,
        }
    }

    /// What the clients said to it, one text for each connection.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn pass(client: &mut TcpStream, port: u16) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .unwrap();
    // However it ends, the client sees it.
    let _ = copy_bidirectional(client, &mut server).await;
}

async fn refuse(client: &mut TcpStream) {
    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    client.write_all(refusal).await.unwrap();
    client.shutdown().await.unwrap();
}
