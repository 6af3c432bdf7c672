//! `bench flood`: thousands of connections that never finish what they begin, over HTTP and TLS, while a job runs; how soon a
//! DELETE is answered meanwhile, and how soon they are all closed.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;
use fake_hub::{FakeHub, Fault, Requests, Route};
use futures_util::{StreamExt, stream};
use hive_api::{ModelDownload, Operation, Priority, SubmitJob};
use hive_client::{CancelJob, Endpoint, HiveClient, IdempotencyKey};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{
    figures::{Figures, HEADER, verdict},
    report,
};
use crate::{
    hive::Hive,
    programs::{Profile, Programs},
};

/// Every half-open connection is closed by then.
const CLOSED_IN: Duration = Duration::from_secs(12);
/// Connections that are opened at the same time.
const AT_A_TIME: usize = 200;
/// A request without its end, and a TLS handshake without its end (RFC 8446, section 5.1).
const HALF_HEAD: &[u8] = b"GET /v1/hive HTTP/1.1\r\nHost: localhost\r\n";
const HALF_HANDSHAKE: &[u8] = &[22, 3, 1, 2, 0, 1, 0];

#[derive(Args)]
pub(crate) struct Options {
    /// A tenth of the connections, with a debug build; fails where a bar is missed, and writes nothing down
    #[arg(long)]
    quick: bool,
}

/// How the doors are.
struct Doors {
    name: &'static str,
    delete: &'static str,
    arguments: &'static [&'static str],
    half: &'static [u8],
}

const DOORS: [Doors; 2] = [
    Doors {
        name: "half-sent requests",
        delete: "DELETE → 200, under half-sent requests",
        arguments: &["--listen", "127.0.0.1:0"],
        half: HALF_HEAD,
    },
    Doors {
        name: "half-done TLS handshakes",
        delete: "DELETE → 200, under half-done TLS handshakes",
        arguments: &["--listen", "127.0.0.1:0", "--tls-self-signed"],
        half: HALF_HANDSHAKE,
    },
];

/// What one flood came to.
struct Flooded {
    deletes: Figures,
    closed_in: Duration,
}

/// Measures, prints, and writes the section "Flood".
pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let (profile, connections, runs) = if options.quick {
        (Profile::Dev, 500, 20)
    } else {
        (Profile::Release, 5_000, 100)
    };
    let programs = Programs::build(profile)?;
    let mut rows = vec![HEADER.to_owned()];
    let mut closings = Vec::new();
    for doors in &DOORS {
        let flooded = flood(&programs, doors, connections, runs).await?;
        rows.push(flooded.deletes.row());
        let in_time = flooded.closed_in <= CLOSED_IN;
        ensure!(
            in_time || !options.quick,
            "{}: closed after {:?}",
            doors.name,
            flooded.closed_in
        );
        closings.push(format!(
            "| {connections} {}: all closed | ≤ 12 s{} | {:.1} s |",
            doors.name,
            verdict(in_time),
            flooded.closed_in.as_secs_f64()
        ));
    }
    let table = format!(
        "{}\n\n| What | Bar | Measured |\n|---|---|---|\n{}",
        rows.join("\n"),
        closings.join("\n")
    );
    eprintln!("{table}");
    if !options.quick {
        report::write_section("Flood", "cargo xtask bench flood", &table)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn flood(
    programs: &Programs,
    doors: &Doors,
    connections: usize,
    runs: u32,
) -> Result<Flooded> {
    let hub = FakeHub::builder().start().await;
    let _silent = hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
    let home = TempDir::with_prefix("flood-")?;
    let hive = Hive::start(
        &programs.hive(),
        doors.arguments,
        hub.endpoint(),
        home.path(),
    )
    .await?;
    let client = HiveClient::connect(&Endpoint::UnixSocket(hive.socket.clone()))?;
    let address = client.hive().await?.listen;
    let address = address.first().context("it listens on TCP")?;
    let began = Instant::now();
    let open: Vec<TcpStream> = stream::iter(0..connections)
        .map(|_| half_open(address, doors.half))
        .buffer_unordered(AT_A_TIME)
        .filter_map(async |stream| stream.ok())
        .collect()
        .await;
    ensure!(open.len() == connections, "only {} connections", open.len());
    let mut figures = Figures::new(doors.delete, 250);
    for _ in 0..runs {
        let job = client.submit(&download(), key()).await?;
        let deleted = Instant::now();
        client.cancel(job.job_id, CancelJob::default()).await?;
        figures.add(deleted.elapsed());
    }
    let mut last = Duration::ZERO;
    for mut stream in open {
        let closed = timeout(CLOSED_IN * 3, stream.read_to_end(&mut Vec::new())).await;
        // However it is closed.
        let _ = closed.context("a half-open connection stays open")?;
        last = began.elapsed();
    }
    hive.stop().await?;
    Ok(Flooded {
        deletes: figures,
        closed_in: last,
    })
}

async fn half_open(address: &str, half: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(half).await?;
    Ok(stream)
}

fn download() -> SubmitJob {
    SubmitJob {
        operation: Operation::ModelDownload(ModelDownload {
            model: "acme/Flood-GGUF".to_owned(),
            ..ModelDownload::default()
        }),
        priority: Priority::Normal,
        limit_bytes_per_second: None,
    }
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new(Uuid::new_v4())
}
