//! Which hive a command talks to, and the way there.

mod address;
mod config;
mod edit;
mod entry;
mod meant;
mod pairing;

use std::{ffi::OsString, path::PathBuf};

use hive_client::{Endpoint, HiveClient, HttpEndpoint, Trust};
use secrecy::SecretString;
use url::Url;

pub(crate) use self::{
    config::{Config, LastJob},
    entry::{HiveEntry, ca_file, label, name_for, proxy},
    meant::Meant,
    pairing::PairingCode,
};
use crate::{
    failure::Failure,
    ssh::{SshAddress, Tunnel},
};

/// What to give instead of an address that is none.
pub(crate) const ADDRESSES: &str = "give an address such as ssh://gpu1 or https://gpu1:7835";

/// The hive of this machine and user.
pub(crate) const LOCAL: &str = "local";

/// A hive that is named and not yet talked to.
#[derive(Debug)]
pub(crate) struct Target {
    /// What it is called, `local` or a name of the configuration or the host and port of an address.
    pub(crate) name: String,
    /// What to write after `--hive`, where it is not the one that is used anyway.
    pub(crate) flag: Option<String>,
    /// Whether keeper's files know it.
    pub(crate) is_known: bool,
    /// The way there.
    pub(crate) place: Place,
}

/// Where a hive is.
#[derive(Debug)]
pub(crate) enum Place {
    /// On this machine, to be started if it does not run.
    Local,
    /// On another machine, to be started over ssh if it does not run.
    Ssh {
        /// Where ssh goes.
        address: SshAddress,
        /// What runs `hive` there, where that is not its plain name.
        hive_command: Option<String>,
    },
    /// Behind an address.
    Http(HttpEndpoint),
    /// Nowhere: what keeper's files say about it cannot be used.
    Unusable(Failure),
}

/// A hive that one talks to.
#[derive(Clone, Debug)]
pub(crate) struct Hive {
    /// What it is called.
    pub(crate) name: String,
    /// What to write after `--hive`, where it is not the one that is used anyway.
    pub(crate) flag: Option<String>,
    /// Whether keeper's files know it.
    pub(crate) is_known: bool,
    /// Whether it is this machine's own.
    pub(crate) is_local: bool,
    /// The way over ssh, where that is the way.
    pub(crate) tunnel: Option<Tunnel>,
    /// The client.
    pub(crate) client: HiveClient,
}

impl Hive {
    /// A hive behind this endpoint.
    pub(crate) fn connect(target: &Target, endpoint: &Endpoint) -> Result<Self, Failure> {
        let client = HiveClient::connect(endpoint);
        let client = client.map_err(|error| Failure::of_endpoint(&error))?;
        Ok(Self {
            name: target.name.clone(),
            flag: target.flag.clone(),
            is_known: target.is_known,
            is_local: matches!(target.place, Place::Local),
            tunnel: None,
            client,
        })
    }

    /// A hive to which there is no way. Its client is that of no socket, and nothing is sent to one that never arrives.
    pub(crate) fn without_way(target: &Target) -> Result<Self, Failure> {
        Self::connect(target, &Endpoint::UnixSocket(PathBuf::new()))
    }

    /// ` on gpu1` after what happened there; of what happens on this machine nothing is said.
    pub(crate) fn on(&self) -> String {
        if self.is_local {
            String::new()
        } else {
            format!(" on {}", self.name)
        }
    }

    /// A command line of keeper that reaches this hive.
    pub(crate) fn command(&self, rest: &str) -> String {
        match &self.flag {
            Some(flag) => format!("keeper --hive {flag} {rest}"),
            None => format!("keeper {rest}"),
        }
    }

    /// A hive's commands as they reach it from here: it cannot know how this keeper calls it.
    pub(crate) fn reaching(&self, hint: &str) -> String {
        const ITS_OWN: [&str; 6] = [
            "job ",
            "model ",
            "hive login",
            "hive logout",
            "hive whoami",
            "hive status",
        ];
        let Some(flag) = &self.flag else {
            return hint.to_owned();
        };
        let reached = |hint: String, rest: &&str| {
            let (plain, flagged) = (
                format!("keeper {rest}"),
                format!("keeper --hive {flag} {rest}"),
            );
            hint.replace(&plain, &flagged)
        };
        ITS_OWN.iter().fold(hint.to_owned(), reached)
    }

    /// What to do where it does not accept who asks.
    pub(crate) fn how_to_pair(&self) -> String {
        let pair = "pair with it: hive pair on its machine prints the line for this one";
        if self.is_known {
            format!("{pair}; add --replace to it")
        } else {
            pair.to_owned()
        }
    }

    /// What to do when it does not answer.
    pub(crate) fn remedy(&self) -> String {
        if self.is_local || self.tunnel.is_some() {
            self.command("hive start")
        } else {
            "check that hive serve runs there and listens (--listen) on this address".to_owned()
        }
    }
}

/// Finds the hive that is meant: the flag or `KEEPER_HIVE`, else the configured one, else `local`. Fails for a name or an
/// address that is none; what is wrong with a hive of the files is its own and told when it is to be reached.
pub(crate) fn choose(
    named: Option<&str>,
    config: &Config,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Target, Failure> {
    let default = config.default_hive().unwrap_or(LOCAL);
    let name = named.unwrap_or(default);
    // With the variable a plain command would reach the hive that it names.
    let is_plain = name == default && variable("KEEPER_HIVE").is_none_or(|value| value.is_empty());
    let flag = (!is_plain).then(|| name.to_owned());
    if name == LOCAL {
        return Ok(Target {
            name: LOCAL.to_owned(),
            flag,
            is_known: false,
            place: Place::Local,
        });
    }
    let token = || token_of_environment(variable);
    if name.contains("://") {
        let place = place(&address::entry(name, variable)?, token(), variable)?;
        let name = match &place {
            Place::Http(endpoint) => host_and_port(&endpoint.url),
            Place::Ssh { address, .. } => address.host().to_owned(),
            Place::Local | Place::Unusable(_) => name.to_owned(),
        };
        return Ok(Target {
            name,
            flag,
            is_known: false,
            place,
        });
    }
    let Some(known) = config.hive(name) else {
        return Err(Failure::usage(
            format!("there is no hive `{name}`"),
            config.known_hives(),
        ));
    };
    let token = config.token(name).cloned().or_else(token);
    let place = match &known.entry {
        Ok(entry) => place(entry, token, variable),
        Err(reason) => Err(Failure::usage(
            format!("what keeper's files say of {name} cannot be used: {reason}"),
            format!("correct it there, or add it anew: keeper hive add {name} URL --replace"),
        )),
    };
    Ok(Target {
        name: name.to_owned(),
        flag,
        is_known: true,
        place: place.unwrap_or_else(|failure| Place::Unusable(failure.about(name))),
    })
}

/// The variable that has the token of a hive that is in no file; no program that keeper starts is given it.
pub(crate) const TOKEN_VARIABLE: &str = "KEEPER_TOKEN";

/// The token that the environment has, for a hive that is in no file.
pub(crate) fn token_of_environment(
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Option<SecretString> {
    let token = variable(TOKEN_VARIABLE)?.into_string().ok()?;
    (!token.is_empty()).then(|| SecretString::from(token))
}

/// The way to a hive.
pub(crate) fn place(
    entry: &HiveEntry,
    token: Option<SecretString>,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Place, Failure> {
    if entry.url.starts_with("ssh://") {
        let parsed = entry.url.parse::<SshAddress>();
        return Ok(Place::Ssh {
            address: parsed.map_err(|error| address::refused(&entry.url, &error.to_string()))?,
            hive_command: entry.hive_command.clone(),
        });
    }
    let url = address::parse(&entry.url)?;
    let trust = match (entry.pin, &entry.ca_file) {
        (Some(pin), _) => Trust::Pin(pin),
        (None, Some(path)) => Trust::CaFile(path.clone()),
        (None, None) => Trust::SystemRoots,
    };
    let proxy = address::proxy(&url, entry.proxy.as_deref(), variable)?;
    let endpoint = HttpEndpoint {
        url,
        token,
        trust,
        proxy,
    };
    address::keep_secret(&endpoint, variable)?;
    Ok(Place::Http(endpoint))
}

fn host_and_port(url: &Url) -> String {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::exit_code;

    fn config() -> Config {
        let text = "use = \"gpu1\"\n[hives.gpu1]\nurl = \"https://gpu1:7835\"\n";
        Config::parse(text, "[gpu1]\ntoken = \"t1\"\n").unwrap()
    }

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn without_a_word_it_is_the_configured_one_else_local() {
        let chosen = choose(None, &config(), &none).unwrap();
        assert_eq!((chosen.name.as_str(), chosen.flag), ("gpu1", None));
        let chosen = choose(None, &Config::default(), &none).unwrap();
        assert_eq!((chosen.name.as_str(), chosen.flag), ("local", None));
    }

    #[test]
    fn commands_that_are_shown_name_the_hive_only_where_they_must() {
        let chosen = choose(Some("local"), &config(), &none).unwrap();
        assert_eq!(chosen.flag.as_deref(), Some("local"));
        let chosen = choose(Some("gpu1"), &config(), &none).unwrap();
        assert_eq!(chosen.flag, None);
    }

    #[test]
    fn what_a_hive_tells_to_type_reaches_that_hive() {
        let hive = |named: Option<&str>| {
            let target = choose(named, &config(), &none).unwrap();
            Hive::connect(&target, &Endpoint::UnixSocket("/nowhere".into())).unwrap()
        };
        let hint =
            "keeper hive login, then keeper job retry 2b8e07; hive pair there, or keeper hive add";
        assert_eq!(hive(None).reaching(hint), hint);
        assert_eq!(
            hive(Some("local")).reaching(hint),
            "keeper --hive local hive login, then keeper --hive local job retry 2b8e07; hive pair there, or keeper hive add"
        );
    }

    #[test]
    fn an_address_takes_its_token_from_the_environment_and_a_name_from_the_file() {
        let variable = |name: &str| (name == "KEEPER_TOKEN").then(|| OsString::from("env"));
        let token_of = |named: &str| match choose(Some(named), &config(), &variable).unwrap().place
        {
            Place::Local | Place::Ssh { .. } | Place::Unusable(_) => None,
            Place::Http(endpoint) => endpoint.token.map(|token| token.expose_secret().to_owned()),
        };
        assert_eq!(token_of("http://127.0.0.1:7835").as_deref(), Some("env"));
        assert_eq!(token_of("gpu1").as_deref(), Some("t1"));
    }

    #[test]
    fn a_hive_behind_an_address_is_called_by_its_host_and_port() {
        for (address, name) in [
            ("http://127.0.0.1:7835", "127.0.0.1:7835"),
            ("https://gpu1/", "gpu1:443"),
            ("ssh://alice@gpu1:2222", "gpu1"),
        ] {
            assert_eq!(choose(Some(address), &config(), &none).unwrap().name, name);
        }
    }

    #[test]
    fn a_bad_address_and_an_unknown_name_are_bad_usage_with_a_remedy() {
        for named in ["ssh://gpu1/x", "ftp://gpu1", "http://", "gpu9"] {
            let failure = choose(Some(named), &config(), &none).unwrap_err();
            assert_eq!(failure.exit, exit_code::USAGE, "{named}");
            assert!(failure.problem.hint.is_some(), "{named}");
        }
    }
}
