//! The fake Hub as a program: something to try the hive and any other client against, without a network.
#![expect(
    clippy::print_stdout,
    reason = "what it prints is this program's output"
)]

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use fake_hub::{Account, FakeHub, Fault, Repository, Requests};

/// A Hub with generated models. It serves until Ctrl+C.
#[derive(Parser)]
#[command(name = "fake-hub", version)]
struct Arguments {
    /// Where the Hub listens; port 0 is a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The size of the default quantisation and of the safetensors model
    #[arg(long, value_name = "SIZE", default_value = "20MB", value_parser = model_size)]
    model_size: u64,
    /// The rate of each connection to the CDN, per second
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    rate: Option<u64>,
    /// How long every answer is held back, in milliseconds
    #[arg(long, value_name = "MS")]
    delay_ms: Option<u64>,
    /// The Hub takes every request and answers none
    #[arg(long)]
    hold: bool,
    /// The first body from the CDN ends after so many bytes
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    cut_after: Option<u64>,
    /// The first body from the CDN stops after so many bytes, on an open connection
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    stall_after: Option<u64>,
    /// The token that reads the gated and the private repository
    #[arg(long, value_name = "TOKEN", default_value = "hf_fake")]
    token: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let hub = start(&arguments).await?;
    script(&hub, &arguments);
    println!("HF_ENDPOINT={}", hub.endpoint());
    println!("CDN at {}", hub.cdn_endpoint());
    for id in hub.repositories() {
        println!("{id}");
    }
    println!(
        "Token {} reads the gated and the private one. Ctrl+C ends it",
        arguments.token
    );
    tokio::signal::ctrl_c().await
}

async fn start(arguments: &Arguments) -> std::io::Result<FakeHub> {
    let small = Repository::model("demo/Small")
        .file("config.json", "{}\n")
        .large_file(
            "model.safetensors",
            fake_hub::Content::safetensors("weight", 1_000_000),
        );
    let copy = |id: &str| small.clone().with_id(id);
    let account = Account::new("demo", &arguments.token)
        .grant("demo/Gated")
        .grant("demo/Private");
    FakeHub::builder()
        .listen(arguments.listen)
        .account(account)
        .repository(Repository::sample_gguf(
            "demo/Tiny-GGUF",
            arguments.model_size,
        ))
        .repository(Repository::sample_safetensors(
            "demo/Tiny",
            arguments.model_size,
        ))
        .repository(copy("demo/Gated").gated())
        .repository(copy("demo/Private").private())
        .repository(small)
        .try_start()
        .await
}

fn script(hub: &FakeHub, arguments: &Arguments) {
    if let Some(bytes_per_second) = arguments.rate {
        hub.on(Requests::cdn())
            .answer(Fault::Drip { bytes_per_second });
    }
    if let Some(delay) = arguments.delay_ms {
        hub.on(Requests::any())
            .answer(Fault::Delay(Duration::from_millis(delay)));
    }
    if let Some(bytes) = arguments.cut_after {
        hub.on(Requests::cdn().first(1))
            .answer(Fault::CutAfter(bytes));
    }
    if let Some(bytes) = arguments.stall_after {
        hub.on(Requests::cdn().first(1))
            .answer(Fault::StallAfter(bytes));
    }
    if arguments.hold {
        hub.hold_api();
    }
}

/// A size that leaves room for the headers of the smallest file.
fn model_size(text: &str) -> Result<u64, String> {
    let size = byte_size(text)?;
    let enough = (size >= 20_000).then_some(size);
    enough.ok_or_else(|| format!("`{text}` is less than 20KB, too small for a model"))
}

/// `20MB`, `64KiB`, `1000`: a whole number and a decimal or binary unit.
fn byte_size(text: &str) -> Result<u64, String> {
    let at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit.trim() {
        "" | "B" => Some(1),
        "KB" | "kB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let size = number.parse::<u64>().ok().zip(factor);
    size.and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is no size such as 20MB, 64KiB or 1000"))
}
