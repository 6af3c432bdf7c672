//! `cargo xtask canary`: known secrets are used in real work, at the most talkative level, and then searched for in
//! everything that the work leaves behind, says or shows. What is meant to hold a secret is left out by name.

mod processes;
mod proxy;
mod search;
mod serving;

use std::{fs, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use fake_hub::{Account, Content, FakeHub, Fault, Repository, Requests};
use tempfile::TempDir;
use tokio::{
    fs::read_to_string,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Child,
    time::timeout,
};

use self::{
    processes::Processes,
    proxy::EchoingProxy,
    search::{Haystacks, Secret},
    serving::{address_of, serve},
};
use crate::{
    hive::ours,
    programs::{Profile, Programs},
};

const LIMIT: Duration = Duration::from_mins(1);
const MODEL: &str = "acme/Canary-GGUF";
const FILE_BYTES: u64 = 3_000_000;
const HUB_TOKEN: &str = "hf_canaryOfTheHub0123456789";
const WRONG_HUB_TOKEN: &str = "hf_canaryThatTheHubRefuses";
const WRONG_TOKEN: &str = "hive_canaryThatIsNoToken0123456789";
const WRONG_CODE: &str = "CNRY-2345";
const PROXY_PASSWORD: &str = "canaryOfTheProxy";
/// `user:canaryOfTheProxy` in base64, as a proxy is told it (RFC 7617).
const PROXY_LOGIN: &str = "dXNlcjpjYW5hcnlPZlRoZVByb3h5";
/// Files that are there to hold a secret.
const MEANT: [&str; 4] = ["token", "hub-token", "tls.key", "credentials.toml"];

/// Works, searches, and shows that the search finds.
pub(crate) async fn run() -> Result<ExitCode> {
    let programs = Programs::build(Profile::Dev)?;
    let processes = Processes::look();
    let mut work = Work::start(&programs).await?;
    eprintln!("Logging in, downloading, failing");
    work.refused_and_logged_in().await?;
    eprintln!("Pairing, following, asking with right and wrong secrets");
    work.paired_and_followed().await?;
    eprintln!("Asking the Hub through a proxy that tells everything");
    work.behind_a_proxy().await?;
    eprintln!("Searching");
    let Work {
        secrets,
        mut left,
        home,
        ..
    } = work;
    left.add_folder(home.path(), &MEANT)?;
    let seen = processes.seen();
    for arguments in seen.arguments {
        left.add("the arguments of a process", arguments);
    }
    let mut hits = left.hits(&secrets);
    let mut children = Haystacks::default();
    for environment in seen.environments {
        children.add("the environment of a child", environment);
    }
    // A proxy is told to a hive by its environment.
    let untold: Vec<_> = secrets
        .iter()
        .filter(|one| one.text() != PROXY_PASSWORD)
        .cloned()
        .collect();
    hits.extend(children.hits(&untold));
    ensure!(hits.is_empty(), "secrets were found:\n{}", hits.join("\n"));
    let (places, bytes) = left.size();
    shows_that_it_finds(&secrets, home.path())?;
    eprintln!(
        "{} secrets, {places} places, {bytes} bytes: none found",
        secrets.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Each secret is found in a file that has it.
fn shows_that_it_finds(secrets: &[Secret], folder: &Path) -> Result<()> {
    let found = folder.join("planted");
    fs::create_dir(&found)?;
    for secret in secrets {
        fs::write(found.join("file"), format!("before{}after", secret.text()))?;
        let mut planted = Haystacks::default();
        planted.add_folder(&found, &MEANT)?;
        let hits = planted.hits(std::slice::from_ref(secret));
        ensure!(
            hits.len() == 1,
            "{} was put into a file: {hits:?}",
            secret.name
        );
    }
    Ok(())
}

/// The work, and what it has left so far.
struct Work<'a> {
    programs: &'a Programs,
    home: TempDir,
    hub: FakeHub,
    hive: Child,
    address: String,
    token: String,
    secrets: Vec<Secret>,
    left: Haystacks,
}

impl<'a> Work<'a> {
    async fn start(programs: &'a Programs) -> Result<Self> {
        let repository = Repository::model(MODEL)
            .large_file("Canary-Q4_K_M.gguf", Content::gguf("Canary", FILE_BYTES))
            .gated();
        let hub = FakeHub::builder()
            .repository(repository)
            .account(Account::new("alice", HUB_TOKEN).grant(MODEL))
            .start()
            .await;
        let home = TempDir::with_prefix("canary-")?;
        let hive = serve(programs, hub.endpoint(), home.path(), "hive.stderr", None)?;
        let address = address_of(home.path(), "hive.stderr").await?;
        let token = read_to_string(home.path().join("state/token")).await?;
        let secrets = vec![
            Secret::new("the local token", &token),
            Secret::new("the Hub's token", HUB_TOKEN),
            Secret::new("a token that the Hub refuses", WRONG_HUB_TOKEN),
            Secret::new("a wrong token", WRONG_TOKEN),
            Secret::new("a wrong pairing code", WRONG_CODE),
            Secret::new("the proxy's password", PROXY_PASSWORD),
            Secret::new("the proxy's login", PROXY_LOGIN),
        ];
        Ok(Self {
            programs,
            home,
            hub,
            hive,
            address,
            token: token.trim().to_owned(),
            secrets,
            left: Haystacks::default(),
        })
    }

    /// Without an account, with a wrong one, with the right one; then a download that is cut and refused midway.
    async fn refused_and_logged_in(&mut self) -> Result<()> {
        self.keeper("gated", &["model", "download", MODEL], "")
            .await?;
        self.keeper("refused login", &["hive", "login"], WRONG_HUB_TOKEN)
            .await?;
        self.keeper("login", &["hive", "login"], HUB_TOKEN).await?;
        let scripts = [
            self.hub
                .on(Requests::cdn().first(1))
                .answer(Fault::CutAfter(500_000)),
            self.hub
                .on(Requests::cdn().first(1))
                .answer(Fault::Status(503)),
            self.hub
                .on(Requests::cdn().first(4))
                .answer(Fault::SignedUrlExpired),
        ];
        let done = self
            .keeper("download", &["model", "download", MODEL], "")
            .await?;
        ensure!(done, "the download of the canary fails");
        drop(scripts);
        self.keeper("log", &["job", "logs", "last"], "").await?;
        self.keeper("whoami", &["hive", "whoami"], "").await?;
        self.keeper(
            "search for nothing",
            &["model", "download", "acme/none"],
            "",
        )
        .await?;
        for request in self.hub.cdn().requests() {
            if let Some((_, query)) = request.target.split_once('?') {
                for value in query.split('&').filter_map(|part| part.split_once('=')) {
                    if value.1.len() >= 16 {
                        let name = format!("`{}` of a signed address", value.0);
                        self.secrets.push(Secret::new(name, value.1));
                    }
                }
            }
        }
        Ok(())
    }

    /// A token by name, a code, a session, and every answer that there is, with right and wrong secrets.
    async fn paired_and_followed(&mut self) -> Result<()> {
        let made = self
            .hive_says(&["token", "create", "robot", "--scope", "read"])
            .await?;
        let robot = made
            .split_whitespace()
            .find(|word| word.starts_with("hive_"));
        let robot = robot
            .context("`hive token create` prints the token")?
            .to_owned();
        let line = self.hive_says(&["pair"]).await?;
        let code = line
            .split_once("--code ")
            .context("`hive pair` prints the code")?
            .1;
        let code = code.split_whitespace().next().context("a code")?.to_owned();
        self.ask(
            "POST /v1/pair",
            &format!("{{\"code\":\"{WRONG_CODE}\",\"name\":\"laptop\"}}"),
            "",
        )
        .await?;
        let asked = format!("{{\"code\":\"{code}\",\"name\":\"laptop\"}}");
        let paired = self.answer("POST /v1/pair", &asked, "").await?;
        let laptop = paired
            .split_once("\"token\":\"")
            .with_context(|| format!("pairing answers {paired}"))?
            .1;
        let laptop = laptop.split('"').next().unwrap_or_default().to_owned();
        let bearer = format!("Authorization: Bearer {}\r\n", self.token);
        let session = self.answer("POST /v1/session", "", &bearer).await?;
        let cookie = session
            .to_lowercase()
            .find("set-cookie: ")
            .map(|at| &session[at + 12..]);
        let cookie = cookie
            .and_then(|rest| rest.split(';').next())
            .context("a session has a cookie")?;
        let value = cookie.split_once('=').context("a cookie has a value")?.1;
        for (name, secret) in [
            ("a named token", robot.as_str()),
            ("a paired token", &laptop),
            ("the pairing code", &code),
            ("the session's cookie", value),
        ] {
            self.secrets.push(Secret::new(name, secret));
        }
        let cookie = format!("Cookie: {cookie}\r\n");
        let robot = format!("Authorization: Bearer {robot}\r\n");
        self.asked_for_all(&[&bearer, &cookie, &robot]).await
    }

    /// Every route, as each of these and with a wrong token.
    async fn asked_for_all(&mut self, askers: &[&str]) -> Result<()> {
        let wrong = format!("Authorization: Bearer {WRONG_TOKEN}\r\n");
        let job = self.answer("GET /v1/jobs", "", askers[0]).await?;
        let job = job.split_once("\"job_id\":\"").context("there are jobs")?.1;
        let job = job.split('"').next().unwrap_or_default().to_owned();
        let events = format!("GET /v1/jobs/{job}/events");
        let show = format!("GET /v1/jobs/{job}");
        for route in [
            &*events,
            &*show,
            "GET /v1/jobs",
            "GET /v1/hive",
            "GET /v1/tokens",
            "GET /v1/audit",
            "GET /v1/models",
            "GET /v1/hub-token",
            "GET /metrics",
            "GET /openapi.json",
            "GET /readyz",
            "POST /v1/jobs",
            "GET /nowhere",
            "DELETE /v1/tokens/robot",
        ] {
            for headers in askers.iter().chain([&wrong.as_str()]) {
                self.ask(route, "{\"token\":1}", headers).await?;
            }
        }
        let with_query = format!("GET /v1/jobs?token={WRONG_TOKEN}");
        self.ask(&with_query, "", &wrong).await?;
        for arguments in [&["token", "list"][..], &["audit"]] {
            let said = self.hive_says(arguments).await?;
            self.left.add(format!("hive {arguments:?}"), said);
        }
        Ok(())
    }

    /// A hive that is to ask the Hub through a proxy, which refuses and says again what it was told.
    async fn behind_a_proxy(&mut self) -> Result<()> {
        let proxy = EchoingProxy::start().await?;
        let url = format!("http://user:{PROXY_PASSWORD}@{}", proxy.address);
        self.hive.kill().await?;
        let log = "proxied.stderr";
        self.hive = serve(
            self.programs,
            "http://hub.invalid",
            self.home.path(),
            log,
            Some(&url),
        )?;
        address_of(self.home.path(), log).await?;
        for arguments in [
            &["model", "plan", "acme/other"][..],
            &["model", "download", "--detach", "acme/other"],
            &["job", "cancel", "last", "--force"],
            &["job", "logs", "last"],
        ] {
            self.keeper("proxied", arguments, "").await?;
        }
        self.keeper("proxied whoami", &["hive", "whoami"], "")
            .await?;
        self.keeper("proxied info", &["hive", "status"], "").await?;
        self.keeper("stop", &["hive", "stop"], "").await?;
        timeout(LIMIT, self.hive.wait())
            .await
            .context("hive does not stop")??;
        // A hive that keeper starts by itself is given keeper's environment, and none of keeper's secrets.
        self.keeper("start", &["hive", "start"], "").await?;
        self.keeper("stop again", &["hive", "stop"], "").await?;
        Ok(())
    }

    /// Runs keeper, keeps what it said, and tells whether it ended well.
    async fn keeper(&mut self, name: &str, arguments: &[&str], input: &str) -> Result<bool> {
        let stdin = self.home.path().join("stdin");
        fs::write(&stdin, input)?;
        let output = ours(
            self.programs.keeper(),
            self.hub.endpoint(),
            self.home.path(),
        )
        .args(arguments)
        .env("KEEPER_TOKEN", &self.token)
        .env("KEEPER_CONFIG_DIR", self.home.path().join("keeper"))
        .env("HIVE_LOG", "trace")
        .stdin(fs::File::open(&stdin)?)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .output();
        let output = timeout(LIMIT, output)
            .await
            .with_context(|| format!("keeper {arguments:?} does not end"))??;
        fs::remove_file(&stdin)?;
        self.left
            .add(format!("stdout of keeper, {name}"), output.stdout);
        self.left
            .add(format!("stderr of keeper, {name}"), output.stderr);
        Ok(output.status.success())
    }

    /// What a command of hive prints.
    async fn hive_says(&mut self, arguments: &[&str]) -> Result<String> {
        let output = ours(self.programs.hive(), self.hub.endpoint(), self.home.path())
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .output();
        let output = timeout(LIMIT, output)
            .await
            .context("hive does not end")??;
        self.left
            .add(format!("stderr of hive {arguments:?}"), output.stderr);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Asks, and keeps the answer.
    async fn ask(&mut self, route: &str, body: &str, headers: &str) -> Result<()> {
        let answer = self.answer(route, body, headers).await?;
        self.left.add(format!("the answer to {route}"), answer);
        Ok(())
    }

    /// All that the hive answers, head and body.
    async fn answer(&self, route: &str, body: &str, headers: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let request = format!(
            "{route} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        timeout(LIMIT, stream.read_to_end(&mut answer))
            .await
            .with_context(|| format!("{route} does not end"))??;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
