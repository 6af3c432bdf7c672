//! The accept loop: connections within limits, each owned, each ended when the hive stops.
//!
//! Our own, since axum's leaves half-sent headers open for ever.

use std::{
    convert::Infallible,
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener},
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    Door, Peer,
    handshake::{self, Greeted},
    heads::{HeadByHead, Heads},
    peers::Peers,
};
use crate::{config::ConnectionLimits, tls::Tls};

/// The request line and the headers of one request, together; a longer head is answered 431. The buffer that reads
/// it grows by doubling, so a connection may hold twice as much.
const LONGEST_HEAD_BYTES: usize = 32 * 1024;
/// How long the loop rests when the system refuses a connection, such as for want of file descriptors.
const REST: Duration = Duration::from_millis(50);
/// A peer that acknowledges nothing for so long is gone (tcp(7), `TCP_USER_TIMEOUT`). A stream has a heartbeat every 5 s,
/// so that one that vanished is noticed within 30 s.
const USER_TIMEOUT_MS: u32 = 25_000;

/// Everything a connection needs.
#[derive(Clone)]
pub(crate) struct Connections {
    router: Router,
    /// The certificate of the TCP addresses.
    tls: Option<Arc<Tls>>,
    peers: Arc<Peers>,
    limits: ConnectionLimits,
    /// New connections are not taken any more and open ones end after their request.
    drain: CancellationToken,
    /// Open connections end now.
    abort: CancellationToken,
    loops: TaskTracker,
    open: TaskTracker,
    /// Connections that were ever taken.
    taken: Arc<AtomicU64>,
}

impl Connections {
    /// Serves every listener until `drain`; `open` has one task for each open connection.
    pub(crate) fn serve(
        unix: UnixListener,
        tcp: Vec<TcpListener>,
        (router, tls): (Router, Option<Arc<Tls>>),
        limits: ConnectionLimits,
        open: TaskTracker,
        drain: CancellationToken,
    ) -> Self {
        let connections = Self {
            router,
            tls,
            peers: Peers::new(limits.open_connections_per_address),
            limits,
            drain,
            abort: CancellationToken::new(),
            loops: TaskTracker::new(),
            open,
            taken: Arc::default(),
        };
        let unix = Arc::new(unix);
        let seats = Arc::new(Semaphore::new(limits.open_unix_connections));
        let accept = move || {
            let listener = Arc::clone(&unix);
            async move { Ok(listener.accept().await?.0) }
        };
        connections.accept_from(seats, accept, |connections, stream| {
            let deadline = Instant::now() + connections.limits.header_timeout;
            Some(connections.serve_http(stream, (Door::Unix, Peer(None)), deadline))
        });
        let seats = Arc::new(Semaphore::new(limits.open_connections));
        for listener in tcp {
            let listener = Arc::new(listener);
            let accept = move || {
                let listener = Arc::clone(&listener);
                async move {
                    let (stream, peer) = listener.accept().await?;
                    notice_vanished_peers(&stream)?;
                    Ok((stream, peer))
                }
            };
            let serve = |connections: Self, (stream, peer)| connections.serve_tcp(stream, peer);
            connections.accept_from(Arc::clone(&seats), accept, serve);
        }
        connections
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many connections were ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until every connection has ended; those that outlast the drain timeout are cut. Call after `drain`.
    pub(crate) async fn finish(self) {
        self.loops.close();
        self.loops.wait().await;
        self.open.close();
        if timeout(self.limits.drain_timeout, self.open.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = self.open.len(),
                "cutting connections that outlast the drain"
            );
            self.abort.cancel();
            self.open.wait().await;
        }
    }
}

impl Connections {
    /// Takes connections from one listener, at most as many at a time as there are seats: a flood over TCP leaves the
    /// unix socket open.
    fn accept_from<S, F, G>(
        &self,
        seats: Arc<Semaphore>,
        accept: impl Fn() -> F + Send + Sync + 'static,
        serve: impl Fn(Self, S) -> Option<G> + Send + Sync + 'static,
    ) where
        S: Send + 'static,
        F: Future<Output = io::Result<S>> + Send,
        G: Future<Output = ()> + Send + 'static,
    {
        let connections = self.clone();
        let taking = async move {
            loop {
                // The semaphore is never closed.
                let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
                    return;
                };
                match accept().await {
                    Ok(stream) => {
                        connections.taken.fetch_add(1, Ordering::Relaxed);
                        let Some(connection) = serve(connections.clone(), stream) else {
                            continue;
                        };
                        connections.open.spawn(async move {
                            connection.await;
                            drop(seat);
                        });
                    }
                    Err(error) if is_the_peers(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot take a connection");
                        sleep(REST).await;
                    }
                }
            }
        };
        let drain = self.drain.clone();
        self.loops
            .spawn(async move { drain.run_until_cancelled(taking).await });
    }

    /// Serves a connection over TCP, or drops it at once where its address has too many.
    fn serve_tcp(
        self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let Some(place) = self.peers.admit(address.ip()) else {
            tracing::debug!(peer.address = %address.ip(), "an address has too many connections");
            return None;
        };
        let from = (Door::Tcp, Peer(Some(address)));
        Some(async move {
            let deadline = Instant::now() + self.limits.header_timeout;
            match self.tls.clone() {
                None => self.serve_http(stream, from, deadline).await,
                Some(tls) => self.serve_tls(stream, &tls, from, deadline).await,
            }
            drop(place);
        })
    }

    async fn serve_tls(
        mut self,
        stream: TcpStream,
        tls: &Tls,
        from: (Door, Peer),
        deadline: Instant,
    ) {
        let greeted = timeout_at(deadline, handshake::greet(stream, tls));
        match self.drain.run_until_cancelled(greeted).await {
            Some(Ok(Some(Greeted::Tls(stream)))) => {
                self.serve_http(stream, from, deadline).await;
            }
            Some(Ok(Some(Greeted::Plain(stream)))) => {
                self.router = handshake::https_required();
                self.serve_http(stream, from, deadline).await;
            }
            // The peer left, or took too long, or the hive stops.
            Some(Ok(None) | Err(_)) | None => {}
        }
    }

    /// Serves requests; the head of the first has to be here by the deadline.
    async fn serve_http<S>(self, stream: S, (door, peer): (Door, Peer), deadline: Instant)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let asked = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&asked);
        let heads = Heads::default();
        let stream = HeadByHead::new(stream, heads.clone());
        let service = service_fn(move |request: http::Request<Incoming>| {
            mark.store(true, Ordering::Relaxed);
            let framing = heads.understood(request.headers());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(door);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(framing);
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(framing.close_if_last(answer.await?)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_header_size(LONGEST_HEAD_BYTES)
            .max_buf_size(LONGEST_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let has_not_asked = async {
            sleep_until(deadline).await;
            if asked.load(Ordering::Relaxed) {
                pending::<()>().await;
            }
        };
        let whole = async {
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = has_not_asked => return Ok(()),
                () = self.drain.cancelled() => {}
            }
            // Between two requests hyper ends a connection at once, but before the first it waits for the rest of a
            // head that has begun.
            if !asked.load(Ordering::Relaxed) {
                return Ok(());
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        };
        if let Some(Err(error)) = self.abort.run_until_cancelled(whole).await {
            tracing::debug!(%error, http.door = door.name(), "a connection ended early");
        }
    }
}

/// A heartbeat to a peer whose link is down must not be sent for a quarter of an hour.
fn notice_vanished_peers(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(15))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    sockopt::set_tcp_user_timeout(stream, USER_TIMEOUT_MS)?;
    Ok(())
}

/// The peer left before we took its connection; the next one is as good as ever.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
