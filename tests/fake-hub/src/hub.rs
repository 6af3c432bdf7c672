//! The fake Hub as a test holds it: started in one line, gone when it is dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::api::Hub;
use crate::cdn::{Cdn, SignedUrls};
use crate::repository::Repository;
use crate::script::{Fault, On, Requests, Rules, Script};
use crate::traffic::Traffic;
use crate::wire;
use crate::world::World;

const TREE_PAGE_ENTRIES: usize = 1000;
const SIGNED_URL_LIFETIME: Duration = Duration::from_hours(1);

/// A running Hub and its CDN, each on a port of its own on loopback.
///
/// They run on one thread with a runtime of their own, so that neither a blocked test nor a paused clock
/// disturbs them. Dropping it closes every connection and ends the thread before the drop returns; it panics
/// if the CDN has ever seen a token.
pub struct FakeHub {
    world: Arc<World>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// How a fake Hub is to be.
#[derive(Debug)]
pub struct FakeHubBuilder {
    listen: SocketAddr,
    repositories: Vec<Repository>,
    accounts: Vec<Account>,
    tree_page_entries: usize,
    signed_url_lifetime: Duration,
    cdn_endpoint: Option<String>,
}

impl FakeHubBuilder {
    /// Serves this repository.
    #[must_use]
    pub fn repository(mut self, repository: Repository) -> Self {
        self.repositories.push(repository);
        self
    }

    /// Accepts the token of this account. Every other token is answered with 401.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// How many entries a page of a tree has; 1000 as the Hub's own if not given.
    #[must_use]
    pub fn tree_page_entries(mut self, entries: usize) -> Self {
        self.tree_page_entries = entries;
        self
    }

    /// How long a URL of the CDN is valid; one hour if not given.
    #[must_use]
    pub fn signed_url_lifetime(mut self, lifetime: Duration) -> Self {
        self.signed_url_lifetime = lifetime;
        self
    }

    /// Sends clients to this origin (`http://127.0.0.1:port`) for large files, in the place of the CDN of this fake:
    /// to a real server, for a benchmark. It is asked for `/xet-bridge-us/…` with the query of a signed URL.
    #[must_use]
    pub fn cdn_endpoint(mut self, origin: &str) -> Self {
        self.cdn_endpoint = Some(origin.to_owned());
        self
    }

    /// Where the Hub listens; a free port of 127.0.0.1 if not given. The CDN takes a free port of that address.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Starts both servers; they accept connections when this returns.
    ///
    /// # Panics
    /// If the address is taken or the system gives no thread: nothing can be tested then.
    pub async fn start(self) -> FakeHub {
        match self.try_start().await {
            Ok(hub) => hub,
            Err(error) => panic!("the fake Hub cannot start: {error}"),
        }
    }

    /// Like [`FakeHubBuilder::start`], for a program that has someone to tell.
    pub async fn try_start(self) -> io::Result<FakeHub> {
        let (ready, started) = oneshot::channel();
        let hub = self.spawn(ready)?;
        started
            .await
            .map_err(|_| io::Error::other("its thread ended before it was ready"))?;
        Ok(hub)
    }

    fn spawn(self, ready: oneshot::Sender<()>) -> io::Result<FakeHub> {
        let hub = bind(self.listen)?;
        let cdn = bind(SocketAddr::new(self.listen.ip(), 0))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let cdn_origin = match self.cdn_endpoint {
            Some(elsewhere) => elsewhere,
            None => origin(&cdn)?,
        };
        let world = Arc::new(World {
            endpoint: origin(&hub)?,
            tree_page_entries: self.tree_page_entries,
            accounts: self.accounts,
            signed_urls: SignedUrls::new(cdn_origin, self.signed_url_lifetime),
            rules: Rules::default(),
            hub: Traffic::new(),
            cdn: Traffic::new(),
            repositories: std::sync::Mutex::default(),
            token_leaks: std::sync::Mutex::default(),
            answers: AtomicU64::new(0),
        });
        for repository in self.repositories {
            world.put(repository);
        }
        let stop = CancellationToken::new();
        let (theirs, stopped) = (Arc::clone(&world), stop.clone());
        let run = move || runtime.block_on(run(hub, cdn, theirs, stopped, ready));
        let thread = std::thread::Builder::new()
            .name("fake-hub".to_owned())
            .spawn(run)?;
        Ok(FakeHub {
            world,
            stop,
            thread: Some(thread),
        })
    }
}

impl FakeHub {
    /// An empty Hub on a free port, to be filled.
    pub fn builder() -> FakeHubBuilder {
        FakeHubBuilder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            repositories: Vec::new(),
            accounts: Vec::new(),
            tree_page_entries: TREE_PAGE_ENTRIES,
            signed_url_lifetime: SIGNED_URL_LIFETIME,
            cdn_endpoint: None,
        }
    }

    /// What `HF_ENDPOINT` is to be: `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> &str {
        &self.world.endpoint
    }

    /// Where clients are sent for large files: `http://127.0.0.1:port`.
    pub fn cdn_endpoint(&self) -> &str {
        self.world.signed_urls.origin()
    }

    /// What the Hub has seen and sent.
    pub fn api(&self) -> &Traffic {
        &self.world.hub
    }

    /// What the CDN has seen and sent.
    pub fn cdn(&self) -> &Traffic {
        &self.world.cdn
    }

    /// Begins a fault: `hub.on(Requests::to(Route::Tree)).answer(Fault::Status(503))`.
    pub fn on(&self, requests: Requests) -> On<'_> {
        On {
            rules: &self.world.rules,
            requests,
        }
    }

    /// From now on the Hub takes every request and answers none, until the script is released.
    pub fn hold_api(&self) -> Script {
        self.on(Requests::hub()).answer(Fault::Hold)
    }

    /// Adds a repository, or pushes a new state of one: `main` moves, older commits stay readable.
    pub fn push(&self, repository: Repository) {
        self.world.put(repository);
    }

    /// Lets a branch name the commit of another branch or hash.
    ///
    /// # Panics
    /// If there is no such repository or revision.
    pub fn move_branch(&self, repository: &str, branch: &str, revision: &str) {
        let moved = self.world.move_branch(repository, branch, revision);
        assert!(moved, "the fake Hub has no `{revision}` in `{repository}`");
    }

    /// The ids of the repositories.
    pub fn repositories(&self) -> Vec<String> {
        self.world
            .repositories()
            .iter()
            .map(|repository| repository.id.clone())
            .collect()
    }

    /// From now on every CDN URL that was given out so far is answered with 403.
    pub fn expire_signed_urls(&self) {
        self.world.signed_urls.expire_all();
    }

    /// Panics if the CDN has seen a token. Dropping the fake Hub does the same.
    ///
    /// # Panics
    /// If a request with `Authorization` has reached the CDN.
    pub fn assert_no_token_leak(&self) {
        let leaks = self.world.token_leaks();
        assert!(leaks.is_empty(), "the CDN was sent a token with: {leaks:?}");
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        // A second panic would end the process and hide the first one.
        if !std::thread::panicking() {
            assert!(
                ended.is_ok(),
                "the fake Hub has panicked: its own message is above"
            );
            self.assert_no_token_leak();
        }
    }
}

impl fmt::Debug for FakeHub {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FakeHub")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn origin(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Both servers, until `stop`.
async fn run(
    hub: TcpListener,
    cdn: TcpListener,
    world: Arc<World>,
    stop: CancellationToken,
    ready: oneshot::Sender<()>,
) {
    let adopt = tokio::net::TcpListener::from_std;
    let (hub, cdn) = match (adopt(hub), adopt(cdn)) {
        (Ok(hub), Ok(cdn)) => (hub, cdn),
        (Err(error), _) | (_, Err(error)) => panic!("the runtime refuses a listener: {error}"),
    };
    let hub = wire::serve(hub, Arc::new(Hub(Arc::clone(&world))), stop.clone());
    let cdn = wire::serve(cdn, Arc::new(Cdn(world)), stop);
    // The one who waits may have gone; the stop then comes at once.
    let _ = ready.send(());
    tokio::join!(hub, cdn);
}
