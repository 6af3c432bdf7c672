//! A Hub and its CDN on loopback, for tests and for trying things: faithful until told otherwise, then exactly
//! as faulty as told. It shares no code with the clients that are tested against it.
//!
//! - [`FakeHub::builder`] takes [`Repository`]s and [`Account`]s; [`Repository::sample_gguf`] and
//!   [`Repository::sample_safetensors`] are ready to serve, [`Content`] makes files of any size without memory.
//! - [`FakeHub::on`] puts a [`Fault`] into the answers to a set of [`Requests`]; the [`Script`] that it returns
//!   takes it out again. [`FakeHub::hold_api`] is a Hub that never answers.
//! - [`FakeHub::api`] and [`FakeHub::cdn`] are what each server has seen and sent: the requests, the bytes, who
//!   closed which connection when. They are waited on with a deadline, never with a sleep.
//! - A token that reaches the CDN fails the test when the [`FakeHub`] is dropped.
//!
//! ```
//! use std::time::Duration;
//! use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let repository = Repository::model("org/tiny")
//!     .file("config.json", "{}")
//!     .large_file("tiny.gguf", Content::gguf("tiny", 100_000));
//! let hub = FakeHub::builder().repository(repository.clone()).start().await;
//! let body = Requests::cdn().file("tiny.gguf");
//! hub.on(body.clone().first(1)).answer(Fault::StallAfter(1_000));
//!
//! // Any client of the Hub, with `HF_ENDPOINT` set to `hub.endpoint()`.
//! let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
//! let url = format!("{}/org/tiny/resolve/main/tiny.gguf", hub.endpoint());
//! let answer = client.get(url).send().await?;
//! let limit = Duration::from_secs(10);
//! hub.cdn().wait_for_bytes_sent("tiny.gguf", 1_000, limit).await?;
//! drop(answer);
//! let closed = hub.cdn().wait_for_connection_closed(&body, limit).await?;
//! assert_eq!(closed.bytes_sent, 1_000);
//! # Ok(())
//! # }
//! ```

mod account;
mod api;
mod catalogue;
mod cdn;
mod content;
mod hub;
mod ranges;
mod repository;
mod route;
mod script;
mod traffic;
mod wire;
mod world;

pub use account::Account;
pub use content::Content;
pub use hub::{FakeHub, FakeHubBuilder};
pub use repository::{Repository, RepositoryKind};
pub use route::Route;
pub use script::{Fault, On, Reply, Requests, Script};
pub use traffic::{ConnectionRecord, Ended, EndedBy, Overdue, RequestRecord, Seen, Traffic};
