//! `keeper hive login`: gives a hive a token for the Hub, from standard input, tried before it is kept.

use std::io::{self, IsTerminal, Read};

use hive_api::HubAccount;
use secrecy::SecretString;
use tokio::task::spawn_blocking;

use crate::{app::App, exit_code::Ending, failure::Failure};

/// No token is longer.
const LONGEST_TOKEN_BYTES: u64 = 4096;

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let hive = app.hive().await?;
    let token = read_token(app, &hive.name).await?;
    let account = hive.client.set_hub_token(&token).await;
    let account = account.map_err(|error| Failure::of_client(&hive, &error))?;
    tell(app, &hive.name, &account);
    Ok(Ending::DONE)
}

/// Says as whom the hive asks from now on.
pub(super) fn tell(app: &App, hive: &str, account: &HubAccount) {
    if app.printer.settings().is_json() {
        app.printer.json(account);
        return;
    }
    let endpoint = &account.endpoint;
    let line = match (&account.account, &account.token_source) {
        (Some(name), _) => format!("{hive} asks {endpoint} as {name} from now on"),
        (None, Some(source)) => {
            format!("{hive} asks {endpoint} with the token from {source} from now on")
        }
        (None, None) => format!("{hive} asks {endpoint} without an account from now on"),
    };
    app.printer.story(&line);
}

/// A token in the arguments would stand in every list of processes.
async fn read_token(app: &App, hive: &str) -> Result<SecretString, Failure> {
    let is_asked = io::stdin().is_terminal();
    if is_asked {
        let line = format!("Token of the Hub for {hive}, not shown while you type:");
        app.printer.question(&line);
    }
    let read = spawn_blocking(move || {
        if is_asked {
            return rpassword::read_password();
        }
        let mut text = String::new();
        let mut bounded = io::stdin().take(LONGEST_TOKEN_BYTES);
        bounded.read_to_string(&mut text).map(|_| text)
    });
    let text = read.await.map_err(io::Error::other).flatten();
    let token = text.ok().map(|text| text.trim().to_owned());
    match token.filter(|token| !token.is_empty()) {
        Some(token) => Ok(token.into()),
        None => Err(Failure::usage(
            "no token came on standard input",
            "keeper hive login < FILE, or type it on a terminal",
        )),
    }
}
