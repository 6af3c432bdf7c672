//! Several hives: a laptop that is paired with two of them, each on a machine of its own.

use anyhow::{Context, Result, ensure};
use fake_hub::FakeHub;
use rustix::process::Signal;

use crate::{End, Finished, Machine, Running, quantised};

/// A hub, a laptop, and the machines of two hives that it is paired with: gpu1 (label gpu=a100) and gpu2 (gpu=h100).
pub struct Fleet {
    /// The Hub of all of them.
    pub hub: FakeHub,
    /// Where keeper is.
    pub laptop: Machine,
    /// The machines of the hives, with these.
    pub servers: Vec<(Machine, Running)>,
}

impl Fleet {
    /// Starts both hives and pairs the laptop with them, for everything.
    pub async fn start() -> Result<Self> {
        let hub = FakeHub::builder().repository(quantised()).start().await;
        let laptop = Machine::new(hub.endpoint().to_string())?;
        let mut servers = Vec::new();
        for (name, label) in [("gpu1", "gpu=a100"), ("gpu2", "gpu=h100")] {
            let server = Machine::new(hub.endpoint().to_string())?;
            let serve = ["--listen", "127.0.0.1:0", "--tls-self-signed"];
            let hive = server.start_hive(&serve).await?;
            let line = Running::start(&mut server.hive(["pair", "--scope", "admin"]))?;
            let line = line.finish().await?.stdout;
            let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
            *words.get_mut(2).context("a line to add a hive by")? = name;
            words.extend(["--label", label]);
            let added = laptop.run_keeper(&words).await?;
            ensure!(added.end == End::Exit(0), "{added}");
            servers.push((server, hive));
        }
        Ok(Self {
            hub,
            laptop,
            servers,
        })
    }

    /// Runs `keeper` on the laptop.
    pub async fn keeper(&self, arguments: &[&str]) -> Result<Finished> {
        self.laptop.run_keeper(arguments).await
    }

    /// Adds a hive of this name at an address where there is none.
    pub async fn add_unchecked(&self, name: &str, address: &str) -> Result<()> {
        let added = ["hive", "add", name, address, "--no-check"];
        let added = self.keeper(&added).await?;
        ensure!(added.end == End::Exit(0), "{added}");
        Ok(())
    }

    /// Ends all hives; the laptop's own is used again, which the machine stops at its end.
    pub async fn end(self) -> Result<()> {
        self.keeper(&["hive", "use", "local"]).await?;
        for (_, hive) in self.servers {
            hive.signal(Signal::TERM)?;
            hive.finish().await?;
        }
        Ok(())
    }
}
