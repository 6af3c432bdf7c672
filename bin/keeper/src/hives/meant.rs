//! Which hives a command means: those that are named, all of them, those with a label, or the one that is used.

use std::ffi::OsString;

use super::{Config, LOCAL, Target, choose};
use crate::failure::Failure;

/// Names of hives, separated by commas.
const VARIABLE: &str = "KEEPER_HIVE";

/// What the command line and the environment say about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Nothing: the one that is used when none is named.
    Used,
    /// These names or addresses, each once.
    Named(Vec<String>),
    /// All of the configuration, and this machine's where it runs.
    All,
    /// Those that have all of these labels.
    Labelled(Vec<(String, String)>),
}

impl Meant {
    /// Takes `--hive`, `--all-hives` and `--hives`, of which one kind may be given, else `KEEPER_HIVE`.
    pub(crate) fn of(
        named: &[String],
        all: bool,
        labels: &[(String, String)],
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let named = each_once(named.iter().map(String::as_str));
        match (named.is_empty(), all, labels.is_empty()) {
            (true, false, true) => {}
            (false, false, true) => return Ok(Self::Named(named)),
            (true, true, true) => return Ok(Self::All),
            (true, false, false) => return Ok(Self::Labelled(labels.to_vec())),
            _ => {
                return Err(Failure::usage(
                    "--hive, --hives and --all-hives do not go together",
                    "give one of them",
                ));
            }
        }
        let variable = variable(VARIABLE).map(|value| value.to_string_lossy().into_owned());
        let named = each_once(variable.unwrap_or_default().split(','));
        Ok(if named.is_empty() {
            Self::Used
        } else {
            Self::Named(named)
        })
    }

    /// Whether several were asked for, even where it turns out to be one: what is printed has one form then.
    pub(crate) fn is_fleet(&self) -> bool {
        match self {
            Self::Used => false,
            Self::Named(names) => names.len() > 1,
            Self::All | Self::Labelled(_) => true,
        }
    }

    /// The hives, in the order in which they were named, else by name; never none.
    pub(crate) fn targets(
        &self,
        config: &Config,
        variable: &impl Fn(&str) -> Option<OsString>,
        local_runs: impl FnOnce() -> bool,
    ) -> Result<Vec<Target>, Failure> {
        let known = || config.hives().iter();
        let names: Vec<&str> = match self {
            Self::Used => return Ok(vec![choose(None, config, variable)?]),
            Self::Named(names) => names.iter().map(String::as_str).collect(),
            Self::All => {
                let local = config.hives().is_empty() || local_runs();
                let names = known().map(|(name, _)| name.as_str());
                local.then_some(LOCAL).into_iter().chain(names).collect()
            }
            Self::Labelled(labels) => {
                let names: Vec<&str> = known()
                    .filter(|(_, known)| {
                        let has =
                            |(key, value): &(String, String)| known.labels.get(key) == Some(value);
                        labels.iter().all(has)
                    })
                    .map(|(name, _)| name.as_str())
                    .collect();
                if names.is_empty() {
                    return Err(no_such_label(labels));
                }
                names
            }
        };
        let chosen = names
            .into_iter()
            .map(|name| choose(Some(name), config, variable));
        chosen.collect()
    }

    /// A command line of keeper that means the same hives.
    pub(crate) fn command(&self, rest: &str) -> String {
        let flags: Vec<String> = match self {
            Self::Used => Vec::new(),
            Self::Named(names) => names.iter().map(|name| format!("--hive {name} ")).collect(),
            Self::All => vec!["--all-hives ".to_owned()],
            Self::Labelled(labels) => {
                let flag = |(key, value): &(String, String)| format!("--hives {key}={value} ");
                labels.iter().map(flag).collect()
            }
        };
        format!("keeper {}{rest}", flags.concat())
    }
}

fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for name in names.map(str::trim).filter(|name| !name.is_empty()) {
        if each.iter().all(|other| other != name) {
            each.push(name.to_owned());
        }
    }
    each
}

fn no_such_label(labels: &[(String, String)]) -> Failure {
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Failure::usage(
        format!("no hive has the label {}", labels.join(" and ")),
        "keeper hive list shows which there are",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exit_code, hives::Place};

    fn config() -> Config {
        let hive = |name: &str, gpu: &str| {
            format!("[hives.{name}]\nurl = \"https://{name}\"\nlabels = {{ gpu = \"{gpu}\" }}\n")
        };
        let text = hive("gpu1", "a100") + &hive("gpu2", "h100") + &hive("gpu3", "a100");
        Config::parse(&text, "").unwrap()
    }

    fn none(_: &str) -> Option<OsString> {
        None
    }

    fn names(meant: &Meant, config: &Config, local_runs: bool) -> Vec<String> {
        let targets = meant.targets(config, &none, || local_runs).unwrap();
        targets.into_iter().map(|target| target.name).collect()
    }

    fn label(value: &str) -> Vec<(String, String)> {
        vec![("gpu".to_owned(), value.to_owned())]
    }

    #[test]
    fn hives_are_named_or_have_a_label_or_are_all() {
        let named = Meant::Named(vec!["gpu2".into(), "gpu1".into()]);
        assert_eq!(names(&named, &config(), true), ["gpu2", "gpu1"]);
        let labelled = Meant::Labelled(label("a100"));
        assert_eq!(names(&labelled, &config(), true), ["gpu1", "gpu3"]);
        let all = ["gpu1", "gpu2", "gpu3"];
        assert_eq!(names(&Meant::All, &config(), false), all);
    }

    #[test]
    fn the_hive_of_this_machine_is_among_all_only_where_it_runs_or_is_the_only_one() {
        assert_eq!(names(&Meant::All, &config(), true)[0], LOCAL);
        assert_eq!(names(&Meant::All, &Config::default(), false), [LOCAL]);
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_kinds_of_flags_do_not_mix() {
        let environment = |name: &str| (name == VARIABLE).then(|| OsString::from("a, b,,a"));
        let of = |named: &[&str], all: bool, labels: &[(String, String)]| {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            Meant::of(&named, all, labels, &environment)
        };
        let both = Meant::Named(vec!["a".into(), "b".into()]);
        assert_eq!(of(&[], false, &[]).unwrap(), both);
        assert_eq!(
            of(&["c", "c"], false, &[]).unwrap(),
            Meant::Named(vec!["c".into()])
        );
        assert_eq!(of(&[], true, &[]).unwrap(), Meant::All);
        assert!(of(&["c"], true, &[]).is_err());
        assert!(of(&["c"], false, &label("a100")).is_err());
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_meant_as_any_other_and_a_name_that_is_none_is_refused() {
        let text = "[hives.a]\nurl = \"https://a\"\n\
                    [hives.b]\nurl = \"ftp://b\"\nlabels = { gpu = \"a100\" }\n";
        let config = Config::parse(text, "").unwrap();
        let targets = Meant::All.targets(&config, &none, || false).unwrap();
        let is_unusable = |target: &Target| matches!(target.place, Place::Unusable(_));
        assert_eq!(
            targets.iter().map(is_unusable).collect::<Vec<_>>(),
            [false, true]
        );
        assert_eq!(
            names(&Meant::Labelled(label("a100")), &config, false),
            ["b"]
        );
        let misspelt = Meant::Named(vec!["a".into(), "bb".into()]);
        let refused = misspelt.targets(&config, &none, || false).unwrap_err();
        assert_eq!(refused.exit, exit_code::USAGE);
        assert!(refused.problem.hint.unwrap().contains("a, b"));
    }

    #[test]
    fn a_label_that_no_hive_has_is_bad_usage() {
        let targets = Meant::Labelled(label("b200")).targets(&config(), &none, || true);
        assert_eq!(targets.unwrap_err().exit, exit_code::USAGE);
    }
}
