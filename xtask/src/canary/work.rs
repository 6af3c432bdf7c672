//! The work that uses every secret.

use std::fs;

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

use super::{
    HUB_TOKEN, LIMIT, MODEL, PROXY_LOGIN, PROXY_PASSWORD, WRONG_CODE, WRONG_HUB_TOKEN, WRONG_TOKEN,
    proxy::EchoingProxy,
    search::{Haystacks, Secret},
    serving::{address_of, serve},
};
use crate::{hive::ours, programs::Programs};

const FILE_BYTES: u64 = 3_000_000;

/// The work, and what it has left so far.
pub(super) struct Work<'a> {
    programs: &'a Programs,
    pub(super) home: TempDir,
    hub: FakeHub,
    hive: Child,
    address: String,
    token: String,
    pub(super) secrets: Vec<Secret>,
    /// What the line of `hive pair` has, once there is one.
    pub(super) code_of_the_line: Vec<Secret>,
    pub(super) left: Haystacks,
}

impl<'a> Work<'a> {
    pub(super) async fn start(programs: &'a Programs) -> Result<Self> {
        let repository = Repository::model(MODEL)
            .large_file("Canary-Q4_K_M.gguf", Content::gguf("Canary", FILE_BYTES))
            .gated();
        let hub = FakeHub::builder()
            .repository(repository)
            .account(Account::new("alice", HUB_TOKEN).grant(MODEL))
            .start()
            .await;
        let home = TempDir::with_prefix("canary-")?;
        let hive = serve(
            programs,
            hub.endpoint(),
            home.path(),
            "hive.stderr",
            &[],
            None,
        )?;
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
            code_of_the_line: Vec::new(),
            left: Haystacks::default(),
        })
    }

    /// Without an account, with a wrong one, with the right one; then a download that is cut and refused midway.
    pub(super) async fn refused_and_logged_in(&mut self) -> Result<()> {
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
    pub(super) async fn paired_and_followed(&mut self) -> Result<()> {
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

    /// The line that a hive behind TLS prints, all of `doctor`, and a proxy on the way to a hive.
    pub(super) async fn paired_over_tls(&mut self) -> Result<()> {
        self.hive.kill().await?;
        let log = "tls.stderr";
        let hub = self.hub.endpoint().to_owned();
        let tls = ["--tls-self-signed"];
        self.hive = serve(self.programs, &hub, self.home.path(), log, &tls, None)?;
        self.address = address_of(self.home.path(), log).await?;
        let key = read_to_string(self.home.path().join("state/tls-key.pem")).await?;
        let key = key.lines().nth(1).context("a key has lines")?;
        self.secrets.push(Secret::new("the TLS key", key));

        let line = self.hive_says(&["pair"]).await?;
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let code = words.last().context("`hive pair` prints a line")?;
        self.code_of_the_line
            .push(Secret::new("the code of the line", code));
        ensure!(self.keeper("pair", &words, "").await?, "`{line}` fails");
        let credentials = self.home.path().join("keeper/credentials.toml");
        let credentials = read_to_string(credentials).await?;
        let token = credentials.split('"').nth(1).context("there is a token")?;
        self.secrets.push(Secret::new("the keeper's token", token));

        let model = ["--model", MODEL];
        let doctor = [&["hive", "doctor"], &model[..]].concat();
        self.keeper("doctor", &doctor, "").await?;
        let said = self.hive_says(&["doctor", "--model", MODEL]).await?;
        self.left.add("hive doctor", said);
        let proxy = EchoingProxy::start().await?;
        let proxy = format!("http://user:{PROXY_PASSWORD}@{}", proxy.address);
        for arguments in [&["hive", "status"][..], &["hive", "doctor"]] {
            let hive = ["--hive", "https://hive.invalid"];
            let through = [("KEEPER_PROXY", proxy.as_str())];
            self.keeper_with(&through, "proxy", &[&hive, arguments].concat(), "")
                .await?;
        }
        self.keeper("forget", &["hive", "remove", words[2]], "")
            .await
            .map(drop)
    }

    /// A hive that is to ask the Hub through a proxy, which refuses and says again what it was told.
    pub(super) async fn behind_a_proxy(&mut self) -> Result<()> {
        let proxy = EchoingProxy::start().await?;
        let url = format!("http://user:{PROXY_PASSWORD}@{}", proxy.address);
        self.hive.kill().await?;
        let log = "proxied.stderr";
        self.hive = serve(
            self.programs,
            "http://hub.invalid",
            self.home.path(),
            log,
            &[],
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
        self.keeper_with(&[], name, arguments, input).await
    }

    async fn keeper_with(
        &mut self,
        variables: &[(&str, &str)],
        name: &str,
        arguments: &[&str],
        input: &str,
    ) -> Result<bool> {
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
        .envs(variables.iter().copied())
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
