//! Where keeper's `HF_*` variables differ from what hives have, whose own count: told once a command, with their names.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;
use hive_api::HiveInfo;
use tokio::time::timeout;

use crate::{app::App, fleet::Member, hives::Hive, ui::Tone};

/// A hive that takes longer is not waited for to be warned of.
const WARNING_LIMIT: Duration = Duration::from_secs(2);
/// The variables of keeper that are compared.
const COMPARED: [&str; 4] = ["HF_ENDPOINT", "HF_HUB_CACHE", "HF_HOME", "HF_TOKEN"];

/// A variable that is set here and says otherwise than a hive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Difference<'a> {
    variable: &'static str,
    /// What the hive has; nothing where it has no token.
    theirs: Option<&'a str>,
    /// Whether that hive is this machine's.
    is_local: bool,
}

impl App {
    /// Says where this keeper's environment is not that of the hives.
    pub(crate) async fn warn_of_differences(&self, hives: &[&Hive]) {
        let asked = hives.iter().map(|hive| self.environment_of(hive));
        self.tell_differences(hives, &join_all(asked).await);
    }

    /// The same of hives that may be on the way.
    pub(crate) async fn warn_of_differences_in(&self, members: &[Member]) {
        let hives: Vec<&Hive> = members.iter().map(|member| &member.hive).collect();
        let asked = members.iter().map(|member| async {
            let there = timeout(WARNING_LIMIT, member.arrival.clone()).await;
            let is_there = matches!(there, Ok(Ok(())));
            if is_there {
                self.environment_of(&member.hive).await
            } else {
                None
            }
        });
        self.tell_differences(&hives, &join_all(asked).await);
    }

    async fn environment_of(&self, hive: &Hive) -> Option<HiveInfo> {
        let is_set = |name: &&str| (self.variable)(name).is_some_and(|value| !value.is_empty());
        if !self.printer.tells_story() || !COMPARED.iter().any(is_set) {
            return None;
        }
        let asked = timeout(WARNING_LIMIT, hive.client.hive()).await;
        asked.ok().and_then(Result::ok)
    }

    fn tell_differences(&self, hives: &[&Hive], infos: &[Option<HiveInfo>]) {
        let known = hives.iter().zip(infos);
        let known = known.filter_map(|(hive, info)| Some((*hive, info.as_ref()?)));
        for line in lines(known, &self.variable) {
            self.printer.story_in(Tone::Warning, &line);
        }
    }
}

/// One line for each difference, with the hives that it is about and the remedy.
fn lines<'a>(
    hives: impl Iterator<Item = (&'a Hive, &'a HiveInfo)>,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Vec<String> {
    let mut found: Vec<(Difference<'a>, Vec<&Hive>)> = Vec::new();
    for (hive, info) in hives {
        for difference in differences(hive.is_local, info, variable) {
            match found.iter_mut().find(|(other, _)| *other == difference) {
                Some((_, hives)) => hives.push(hive),
                None => found.push((difference, vec![hive])),
            }
        }
    }
    let lines = found
        .iter()
        .map(|(difference, hives)| difference.line(hives));
    lines.collect()
}

fn differences<'a>(
    is_local: bool,
    info: &'a HiveInfo,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Vec<Difference<'a>> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut found = Vec::new();
    let mut differs = |variable: &'static str, theirs: Option<&'a str>| {
        found.push(Difference {
            variable,
            theirs,
            is_local,
        });
    };
    if let Some(endpoint) = set("HF_ENDPOINT") {
        let endpoint = endpoint.to_string_lossy();
        if endpoint.trim_end_matches('/') != info.hub_endpoint.trim_end_matches('/') {
            differs("HF_ENDPOINT", Some(&info.hub_endpoint));
        }
    }
    let cache = set("HF_HUB_CACHE").map(|cache| ("HF_HUB_CACHE", PathBuf::from(cache)));
    let home = || set("HF_HOME").map(|home| ("HF_HOME", PathBuf::from(home).join("hub")));
    // A path of this machine says nothing about another one.
    if let Some((name, folder)) = cache.or_else(home).filter(|_| is_local)
        && folder.is_absolute()
        && folder != Path::new(&info.store_path)
    {
        differs(name, Some(&info.store_path));
    }
    let source = info.hub_token_source.as_deref();
    // Another machine has a token of its own; only where it has none, the person may believe that theirs is used.
    let is_unlike = match source {
        Some(source) => is_local && source != "HF_TOKEN",
        None => true,
    };
    if set("HF_TOKEN").is_some() && is_unlike {
        differs("HF_TOKEN", source);
    }
    found
}

impl Difference<'_> {
    fn line(self, hives: &[&Hive]) -> String {
        let Self {
            variable,
            theirs,
            is_local,
        } = self;
        let names: Vec<&str> = hives.iter().map(|hive| hive.name.as_str()).collect();
        let names = names.join(", ");
        let has = if hives.len() == 1 { "has" } else { "have" };
        match (is_local, theirs) {
            (true, theirs) => {
                let theirs = theirs.unwrap_or("no token");
                let restart = hives[0].command("hive restart");
                format!(
                    "{variable} is not what the hive of this machine has ({theirs}), and the hive's counts: {restart}"
                )
            }
            (false, Some(theirs)) => format!(
                "{variable} is not what {names} {has} ({theirs}), and theirs counts: set it where the hive is started"
            ),
            (false, None) => {
                let logins: Vec<String> = hives
                    .iter()
                    .map(|hive| hive.command("hive login"))
                    .collect();
                let logins = logins.join(", ");
                format!("{variable} is set here, and {names} {has} no token for the Hub: {logins}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hive_client::Endpoint;

    use super::*;
    use crate::hives::{Config, choose};

    fn info() -> HiveInfo {
        let info = include_str!("../../../docs/api/hive_info.json");
        let mut info: HiveInfo = serde_json::from_str(info).unwrap();
        info.store_path = "/srv/hub".into();
        info.hub_endpoint = "https://huggingface.co".into();
        info.hub_token_source = None;
        info
    }

    fn hive(name: &str) -> Hive {
        let config = "[hives.gpu1]\nurl = \"https://gpu1\"\n[hives.gpu2]\nurl = \"https://gpu2\"\n";
        let config = Config::parse(config, "").unwrap();
        let target = choose(Some(name), &config, &|_| None).unwrap();
        Hive::connect(&target, &Endpoint::UnixSocket("/nowhere".into())).unwrap()
    }

    fn told(hives: &[(&Hive, &HiveInfo)], variables: &[(&str, &str)]) -> Vec<String> {
        lines(hives.iter().copied(), &|name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_same_and_unset_variables_are_no_difference() {
        let (local, info) = (hive("local"), info());
        assert!(told(&[(&local, &info)], &[]).is_empty());
        let same = [
            ("HF_ENDPOINT", "https://huggingface.co/"),
            ("HF_HUB_CACHE", "/srv/hub"),
            ("HF_HOME", "/elsewhere"),
            ("HF_TOKEN", ""),
        ];
        assert!(told(&[(&local, &info)], &same).is_empty());
    }

    #[test]
    fn each_difference_of_this_machines_hive_is_a_line_and_no_token_is_shown() {
        let different = [
            ("HF_ENDPOINT", "http://127.0.0.1:9"),
            ("HF_HOME", "/srv"),
            ("HF_HUB_CACHE", "/other"),
            ("HF_TOKEN", "hf_secret"),
        ];
        let lines = told(&[(&hive("local"), &info())], &different);
        assert_eq!(
            lines,
            [
                "HF_ENDPOINT is not what the hive of this machine has (https://huggingface.co), and the hive's counts: \
                 keeper hive restart",
                "HF_HUB_CACHE is not what the hive of this machine has (/srv/hub), and the hive's counts: keeper hive restart",
                "HF_TOKEN is not what the hive of this machine has (no token), and the hive's counts: keeper hive restart",
            ]
        );
    }

    #[test]
    fn what_several_hives_have_otherwise_is_told_once_with_their_names() {
        let (local, gpu1, gpu2) = (hive("local"), hive("gpu1"), hive("gpu2"));
        let here = HiveInfo {
            hub_endpoint: "http://mirror".into(),
            hub_token_source: Some("HF_TOKEN".into()),
            ..info()
        };
        let there = info();
        let with_token = HiveInfo {
            hub_token_source: Some("keeper hive login".into()),
            ..info()
        };
        let variables = [
            ("HF_ENDPOINT", "http://mirror"),
            ("HF_TOKEN", "hf_secret"),
            ("HF_HUB_CACHE", "/srv/hub"),
        ];
        let hives = [(&local, &here), (&gpu1, &there), (&gpu2, &with_token)];
        assert_eq!(
            told(&hives, &variables),
            [
                "HF_ENDPOINT is not what gpu1, gpu2 have (https://huggingface.co), and theirs counts: \
                 set it where the hive is started",
                "HF_TOKEN is set here, and gpu1 has no token for the Hub: keeper --hive gpu1 hive login",
            ]
        );
    }
}
