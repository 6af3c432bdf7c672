//! `hive token`, `hive pair` and `hive audit`: they ask the running hive as every client does, and where none runs they
//! take the state folder and do it themselves.

use std::io::{self, Write};

use hive_api::{
    AuditEntry, CreatePairCode, CreateToken, NewToken, PairCode, Problem, ProblemCode, StateFolder,
    TokenInfo, TokenList,
};
use hive_client::{ClientError, Endpoint, HiveClient};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{
    AccessError,
    audit::{self, Done},
    tokens::{CreateError, LOCAL, Tokens},
};
use crate::{
    cli::{Audit, Format, Pair, Token, TokenCommand},
    exit_code::Failure,
    local_token,
    state_folder::OwnedStateFolder,
};

/// `hive token`.
pub(crate) fn token(folder: &StateFolder, arguments: Token) -> Result<(), Failure> {
    match arguments.command {
        None => print_local_token(folder, arguments.path),
        Some(TokenCommand::Create {
            name,
            scope,
            expires,
        }) => create(
            folder,
            &CreateToken {
                name,
                scope,
                expires_in_seconds: expires.map(|life| life.as_secs()),
            },
        ),
        Some(TokenCommand::List { format }) => list(folder, format),
        Some(TokenCommand::Revoke { name }) => revoke(folder, &name),
    }
}

fn print_local_token(folder: &StateFolder, path: bool) -> Result<(), Failure> {
    let token = local_token::read_or_create(folder)?;
    let mut stdout = io::stdout();
    if path {
        writeln!(stdout, "{}", folder.token().display())?;
    } else {
        writeln!(stdout, "{}", token.expose_secret())?;
    }
    Ok(())
}

fn create(folder: &StateFolder, wanted: &CreateToken) -> Result<(), Failure> {
    let asked = ask(folder, async |hive| hive.create_token(wanted).await)?;
    let made: NewToken = match asked {
        Some(made) => made,
        None => alone(folder, "token.create", |tokens| {
            let made = tokens.create(wanted).map_err(|error| match error {
                CreateError::File(error) => AccessError::from(error).into(),
                error => Failure::Refused(Box::new(error.problem())),
            })?;
            let name = made.name.clone();
            Ok((made, name, "created"))
        })?,
    };
    let (name, scope) = (&made.name, word(&made.scope));
    let until = made.expires_at.map_or_else(
        || "until it is revoked".to_owned(),
        |end| format!("until {end:.0}"),
    );
    let mut stderr = io::stderr();
    writeln!(stderr, "Token {name} with the scope {scope}, {until}")?;
    writeln!(stderr, "It is shown this once: hive keeps its sha256 alone")?;
    writeln!(stderr, "  Revoke    hive token revoke {name}")?;
    writeln!(io::stdout(), "{}", made.token)?;
    Ok(())
}

fn list(folder: &StateFolder, format: Format) -> Result<(), Failure> {
    let list = match ask(folder, async |hive| hive.tokens().await)? {
        Some(list) => list,
        None => TokenList {
            tokens: Tokens::load(folder.tokens())
                .map_err(AccessError::from)?
                .list(),
        },
    };
    let mut stdout = io::stdout();
    if format == Format::Json {
        writeln!(stdout, "{}", json(&list)?)?;
        return Ok(());
    }
    if list.tokens.is_empty() {
        writeln!(
            io::stderr(),
            "No tokens by name, hive token create NAME makes one"
        )?;
        return Ok(());
    }
    let head = ["Name", "Scope", "Created", "Expires", "Last used"].map(str::to_owned);
    let rows = list.tokens.iter().map(token_row);
    for line in table(std::iter::once(head).chain(rows).collect()) {
        writeln!(stdout, "{line}")?;
    }
    Ok(())
}

fn token_row(token: &TokenInfo) -> [String; 5] {
    let now = Timestamp::now();
    let or_never = |time: Option<Timestamp>| {
        time.map_or_else(|| "never".to_owned(), |time| format!("{time:.0}"))
    };
    let expires = match token.expires_at {
        Some(end) if end <= now => "expired".to_owned(),
        end => or_never(end),
    };
    [
        token.name.clone(),
        word(&token.scope),
        format!("{:.0}", token.created_at),
        expires,
        or_never(token.last_used_at),
    ]
}

fn revoke(folder: &StateFolder, name: &str) -> Result<(), Failure> {
    if name == LOCAL {
        let problem = Problem::new(
            ProblemCode::Forbidden,
            "the local token is a file and is not revoked here",
        );
        let hint = format!("remove {} and start hive again", folder.token().display());
        return Err(Failure::Refused(Box::new(problem.with_hint(hint))));
    }
    // Nothing else can stand in the path of a request.
    let unknown = || {
        let problem = Problem::new(ProblemCode::NotFound, format!("there is no token `{name}`"));
        Failure::Refused(Box::new(
            problem.with_hint("hive token list shows which there are"),
        ))
    };
    if !super::tokens::is_token_name(name) {
        return Err(unknown());
    }
    let asked = ask(folder, async |hive| hive.revoke_token(name).await)?;
    if asked.is_none() {
        alone(folder, "token.revoke", |tokens| {
            let revoked = tokens.revoke(name).map_err(AccessError::from)?;
            revoked.ok_or_else(unknown)?;
            Ok(((), name.to_owned(), "revoked"))
        })?;
    }
    let mut stderr = io::stderr();
    writeln!(
        stderr,
        "Revoked {name}: it lets nobody in, its streams and sessions have ended"
    )?;
    Ok(())
}

/// `hive pair`.
pub(crate) fn pair(folder: &StateFolder, arguments: Pair) -> Result<(), Failure> {
    let wanted = CreatePairCode {
        scope: arguments.scope,
        name: arguments.name,
    };
    let code = ask(folder, async |hive| hive.create_pair_code(&wanted).await)?;
    let Some(code) = code else {
        let problem = Problem::new(
            ProblemCode::PairingUnavailable,
            "no hive runs here to pair with",
        );
        let hint = "start it with hive serve --listen 0.0.0.0:7835 --tls-self-signed";
        return Err(Failure::Refused(Box::new(problem.with_hint(hint))));
    };
    let mut stderr = io::stderr();
    let minutes = code.expires_in_seconds / 60;
    let called = match &wanted.name {
        Some(name) => format!("called {name}"),
        None => "called like the other machine".to_owned(),
    };
    let scope = wanted.scope.as_str();
    writeln!(
        stderr,
        "Run this on the other machine within {minutes} minutes; it works once, and five wrong codes end it"
    )?;
    writeln!(stderr, "It makes a token {called} with the scope {scope}")?;
    writeln!(io::stdout(), "{}", command_line(&code))?;
    Ok(())
}

/// What the other side runs.
fn command_line(code: &PairCode) -> String {
    let label = code.machine.split('.').next().unwrap_or_default();
    let name: String = label
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c))
        .collect();
    let name = if name.is_empty() { "hive" } else { &name };
    let pin = code.pin.iter().map(|pin| format!(" --pin {pin}"));
    let pin: String = pin.collect();
    format!(
        "keeper hive add {name} {}{pin} --code {}",
        code.url, code.code
    )
}

/// `hive audit`: reads the files, so that it tells also where no hive runs.
pub(crate) fn audit(folder: &StateFolder, arguments: &Audit) -> Result<(), Failure> {
    let mut entries = audit::read(folder, arguments.limit as usize, None)?;
    // As a log reads: the newest last.
    entries.reverse();
    let mut stdout = io::stdout();
    if arguments.format == Format::Json {
        for entry in &entries {
            writeln!(stdout, "{}", json(entry)?)?;
        }
        return Ok(());
    }
    if entries.is_empty() {
        writeln!(io::stderr(), "Nothing was changed yet")?;
        return Ok(());
    }
    let head = ["At", "Who", "From", "What", "Target", "Outcome"].map(str::to_owned);
    let rows = entries.iter().map(audit_row);
    for line in table(std::iter::once(head).chain(rows).collect()) {
        writeln!(stdout, "{line}")?;
    }
    Ok(())
}

fn audit_row(entry: &AuditEntry) -> [String; 6] {
    [
        format!("{:.0}", entry.at),
        clean(&entry.who),
        clean(&entry.from),
        clean(&entry.what),
        clean(&entry.target),
        clean(&entry.outcome),
    ]
}

/// Asks the hive of this state folder; `None` where none runs.
pub(crate) fn ask<T>(
    folder: &StateFolder,
    question: impl AsyncFnOnce(HiveClient) -> Result<T, ClientError>,
) -> Result<Option<T>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let endpoint = Endpoint::UnixSocket(folder.socket());
    let asked = runtime.block_on(async { question(HiveClient::connect(&endpoint)?).await });
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Unreachable { .. }) => Ok(None),
        Err(ClientError::Problem(problem) | ClientError::Unauthorized(problem)) => {
            Err(Failure::Refused(problem))
        }
        Err(error) => Err(Failure::Unanswered(error)),
    }
}

/// Changes the tokens where no hive runs, with the line in the audit log.
fn alone<T>(
    folder: &StateFolder,
    what: &'static str,
    change: impl FnOnce(&Tokens) -> Result<(T, String, &'static str), Failure>,
) -> Result<T, Failure> {
    let state = OwnedStateFolder::take(folder.clone())?;
    let tokens = Tokens::load(folder.tokens()).map_err(AccessError::from)?;
    let (answer, target, outcome) = change(&tokens)?;
    let done = Done {
        request_id: Uuid::now_v7().to_string(),
        caller: hive_api::Caller {
            name: LOCAL.to_owned(),
            scope: hive_api::Scope::Admin.into(),
            expires_at: None,
        },
        from: "command".to_owned(),
        what,
        target,
        outcome: outcome.to_owned(),
    };
    audit::record_alone(folder, done).map_err(AccessError::from)?;
    drop(state);
    Ok(answer)
}

fn json(value: &impl serde::Serialize) -> Result<String, io::Error> {
    serde_json::to_string(value).map_err(io::Error::from)
}

fn word(scope: &hive_api::Open<hive_api::Scope>) -> String {
    match scope {
        hive_api::Open::Known(scope) => scope.as_str().to_owned(),
        hive_api::Open::Unknown(word) => clean(word),
    }
}

/// A terminal obeys control characters, and an editor direction marks.
fn clean(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| {
            if c.is_control() || is_mark(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Columns as wide as their widest cells, two spaces apart.
fn table<const COLUMNS: usize>(rows: Vec<[String; COLUMNS]>) -> Vec<String> {
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: [String; COLUMNS]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_pairing_can_be_pasted_into_a_shell() {
        let mut code = PairCode {
            code: "7KQM-2XHD".to_owned(),
            expires_in_seconds: 600,
            machine: "gpu1.lan".to_owned(),
            url: "https://gpu1.lan:7835".to_owned(),
            pin: Some("sha256:4f1c".to_owned()),
        };
        assert_eq!(
            command_line(&code),
            "keeper hive add gpu1 https://gpu1.lan:7835 --pin sha256:4f1c --code 7KQM-2XHD"
        );
        (code.pin, code.machine) = (None, "$(reboot)".to_owned());
        assert_eq!(
            command_line(&code),
            "keeper hive add reboot https://gpu1.lan:7835 --code 7KQM-2XHD"
        );
    }

    #[test]
    fn a_table_is_aligned_and_a_terminal_is_told_nothing() {
        let rows = vec![
            ["Who".to_owned(), "Target".to_owned()],
            ["laptop".to_owned(), clean("a\u{1b}]0;x\u{7}\u{202e}b")],
        ];
        assert_eq!(
            table(rows),
            ["Who     Target", "laptop  a\u{fffd}]0;x\u{fffd}\u{fffd}b"]
        );
    }
}
