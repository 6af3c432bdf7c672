//! `ssh://[user@]host[:port]`: where ssh is to go, in nothing but characters that no program reads as an option.

use std::{fmt, str::FromStr};

/// Where ssh is to go: a host, or an alias of the person's own ssh configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SshAddress {
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSshAddress {
    /// It begins otherwise.
    #[error("it does not begin with ssh://")]
    Scheme,
    /// There is more than a host.
    #[error("it has a path, and a hive is found by its host alone")]
    Path,
    /// The user cannot be one.
    #[error("its user name has characters that none has; a password does not belong in it")]
    User,
    /// The host cannot be one.
    #[error("its host name is empty or has characters that none has")]
    Host,
    /// The port is none.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl SshAddress {
    /// The host alone, as a person calls the machine.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The arguments that lead ssh there, the last ones before a command.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(user) = &self.user {
            arguments.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        arguments.extend(["--".to_owned(), self.host.clone()]);
        arguments
    }

    /// The command line with which a person tries the same.
    pub(crate) fn by_hand(&self) -> String {
        let mut words = vec!["ssh".to_owned()];
        words.extend(self.port.map(|port| format!("-p {port}")));
        words.push(match &self.user {
            Some(user) => format!("{user}@{}", self.host),
            None => self.host.clone(),
        });
        words.join(" ")
    }
}

impl FromStr for SshAddress {
    type Err = BadSshAddress;

    fn from_str(text: &str) -> Result<Self, BadSshAddress> {
        let rest = text.strip_prefix("ssh://").ok_or(BadSshAddress::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(BadSshAddress::Path);
        }
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = split_port(place)?;
        if user.is_some_and(|user| !is_name(user, "._-+")) {
            return Err(BadSshAddress::User);
        }
        let is_ipv6 = host.contains(':');
        if !is_name(host, if is_ipv6 { "._-:%" } else { "._-" }) {
            return Err(BadSshAddress::Host);
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(formatter, "[{}]", self.host)?;
        } else {
            formatter.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

/// `host`, `host:port`, `[ipv6]` and `[ipv6]:port`.
fn split_port(place: &str) -> Result<(&str, Option<u16>), BadSshAddress> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(BadSshAddress::Host)?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(BadSshAddress::Host),
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let number = |port: &str| match port.parse() {
        // The parser takes a sign too.
        Ok(number @ 1..) if !port.starts_with('+') => Ok(number),
        Ok(_) | Err(_) => Err(BadSshAddress::Port),
    };
    Ok((host, port.map(number).transpose()?))
}

/// Letters and digits and these marks; a first `-` would be an option.
fn is_name(text: &str, marks: &str) -> bool {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || marks.contains(letter);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_the_same() {
        for text in [
            "ssh://gpu1",
            "ssh://alice@gpu1.lan:2222",
            "ssh://[fe80::1%eth0]:22",
            "ssh://root@[::1]",
            "ssh://10.0.0.1",
        ] {
            assert_eq!(text.parse::<SshAddress>().unwrap().to_string(), text);
        }
        let with_slash: SshAddress = "ssh://gpu1/".parse().unwrap();
        assert_eq!(with_slash.to_string(), "ssh://gpu1");
    }

    #[test]
    fn nothing_that_ssh_or_a_shell_reads_otherwise_is_an_address() {
        let refused = |text: &str| text.parse::<SshAddress>().unwrap_err();
        assert_eq!(refused("gpu1"), BadSshAddress::Scheme);
        assert_eq!(refused("ssh://gpu1/hive"), BadSshAddress::Path);
        for text in [
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://a b",
            "ssh://$(x)",
            "ssh://a\n",
            "ssh://[::1",
        ] {
            assert_eq!(refused(text), BadSshAddress::Host, "{text}");
        }
        for text in ["ssh://-l@gpu1", "ssh://@gpu1", "ssh://alice:secret@gpu1"] {
            assert_eq!(refused(text), BadSshAddress::User, "{text}");
        }
        for text in [
            "ssh://gpu1:0",
            "ssh://gpu1:",
            "ssh://gpu1:70000",
            "ssh://gpu1:+22",
        ] {
            assert_eq!(refused(text), BadSshAddress::Port, "{text}");
        }
    }

    #[test]
    fn the_host_stands_behind_the_end_of_the_options() {
        let address: SshAddress = "ssh://alice@gpu1:2222".parse().unwrap();
        assert_eq!(
            address.arguments(),
            ["-l", "alice", "-p", "2222", "--", "gpu1"]
        );
        assert_eq!(address.by_hand(), "ssh -p 2222 alice@gpu1");
    }
}
