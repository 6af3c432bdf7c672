//! The command line: every command, flag and value, and nothing about what they do.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hive_api::{JobState, Priority, RateLimit};

use crate::hives;

mod hive_add;
mod usage;

pub(crate) use self::{hive_add::HiveAddArguments, usage::refusal_of};

/// Downloads and keeps models on your machines.
#[derive(Debug, Parser)]
#[command(name = "keeper", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct GlobalArguments {
    /// The hive to talk to: a name, an address such as `ssh://gpu1`, or `local`; repeatable. Else `KEEPER_HIVE` counts
    #[arg(long = "hive", global = true, value_name = "NAME|URL")]
    pub(crate) hives: Vec<String>,
    /// Every hive that was added
    #[arg(long, global = true)]
    pub(crate) all_hives: bool,
    /// Every hive with this label, such as gpu=a100; repeatable, and then with all of them
    #[arg(long = "hives", global = true, value_name = "KEY=VALUE", value_parser = hives::label)]
    pub(crate) hive_labels: Vec<(String, String)>,
    /// What stdout carries
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Say only what must be known
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Draw no bars
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The format that a command line asks for which could not be read: a program that reads stdout is told why there too.
pub(crate) fn format_of_a_refused_line(line: impl IntoIterator<Item = OsString>) -> Format {
    let words: Vec<OsString> = line.into_iter().collect();
    let two_words = words.windows(2).any(|pair| pair == ["--format", "json"]);
    if two_words || words.iter().any(|word| word == "--format=json") {
        Format::Json
    } else {
        Format::Human
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The nouns, and the short forms of their commonest verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Models: download, look, remove
    #[command(subcommand)]
    Model(ModelCommand),
    /// Jobs: look, watch, cancel
    #[command(subcommand)]
    Job(JobCommand),
    /// Hives: which there are, start, stop, look
    #[command(subcommand)]
    Hive(HiveCommand),
    /// Short for `model download`
    Pull(DownloadArguments),
    /// Short for `model list`
    Ls,
    /// Short for `model remove`
    Rm(RemoveArguments),
    /// Short for `job list`
    Ps(JobListArguments),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Fetch models into the hive's store and print where they are
    #[command(visible_alias = "pull")]
    Download(DownloadArguments),
    /// Show what a download would fetch, before the first byte
    Plan(PlanArguments),
    /// List what the store holds
    #[command(visible_alias = "ls")]
    List,
    /// Show one model of the store
    Show {
        /// org/name, org/name:selector or org/name@revision
        model: String,
    },
    /// Remove a model from the store
    #[command(visible_alias = "rm")]
    Remove(RemoveArguments),
}

/// `hive doctor`.
#[derive(Debug, Args)]
pub(crate) struct HiveDoctorArguments {
    /// Its name or address; the one that is used if not given
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: Option<String>,
    /// Have it receive a few seconds of this model's largest file to measure its rate, and throw them away
    #[arg(long, value_name = "ORG/NAME")]
    pub(crate) model: Option<String>,
}

/// Which files of a repository.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SelectionArguments {
    /// Only files that match this glob; `*` also matches `/`
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// No files that match this glob
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Every file, not only what an engine needs
    #[arg(long)]
    pub(crate) all_files: bool,
}

/// `model download`.
#[derive(Debug, Args)]
pub(crate) struct DownloadArguments {
    /// org/name, org/name:selector or org/name:selector@revision, the selector a quantisation or a file
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// Receive this many bytes a second at most, such as 20MB; `job limit` changes it later
    #[arg(long, value_name = "RATE")]
    pub(crate) limit_rate: Option<RateLimit>,
    /// Who goes first in the queue
    #[arg(long, value_enum, default_value_t = QueuePriority::Normal)]
    pub(crate) priority: QueuePriority,
    /// Submit, print the job's id and leave
    #[arg(long)]
    pub(crate) detach: bool,
    /// Fetch again what the store already has
    #[arg(long)]
    pub(crate) force_download: bool,
    #[command(flatten)]
    pub(crate) ending: EndingArguments,
}

/// What a signal other than Ctrl+C means for a submitted job.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct EndingArguments {
    /// What SIGTERM and SIGHUP do with the job
    #[arg(long, value_enum, default_value_t = OnTerm::Leave)]
    pub(crate) on_term: OnTerm,
}

/// What SIGTERM and SIGHUP do with a submitted job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnTerm {
    /// It goes on.
    Leave,
    /// It is cancelled, as by Ctrl+C.
    Cancel,
}

/// Who goes first in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueuePriority {
    /// After all others.
    Low,
    /// First come, first served.
    Normal,
    /// Before all others.
    High,
}

impl From<QueuePriority> for Priority {
    fn from(priority: QueuePriority) -> Self {
        match priority {
            QueuePriority::Low => Self::Low,
            QueuePriority::Normal => Self::Normal,
            QueuePriority::High => Self::High,
        }
    }
}

/// `model plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// org/name, org/name:selector or org/name:selector@revision
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}

/// `model remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// org/name, or org/name@revision
    pub(crate) model: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs, newest first
    #[command(visible_alias = "ps")]
    List(JobListArguments),
    /// Show jobs as they are now
    Show {
        /// Ids, unique parts of ids, or `last`
        #[arg(default_value = "last", value_name = "JOB")]
        jobs: Vec<String>,
    },
    /// Watch jobs to their ends, several at once; Ctrl+C leaves them running
    Watch {
        /// Ids, unique parts of ids, or `last`
        #[arg(default_value = "last", value_name = "JOB")]
        jobs: Vec<String>,
    },
    /// Print what happened to jobs: every state, phase and line of their logs
    Logs {
        /// Ids, unique parts of ids, or `last`
        #[arg(default_value = "last", value_name = "JOB")]
        jobs: Vec<String>,
        /// Go on until the jobs have ended; Ctrl+C leaves them running
        #[arg(long, short)]
        follow: bool,
    },
    /// Stop jobs
    Cancel {
        /// Ids, unique parts of ids, or `last`
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
        /// Also remove what was received
        #[arg(long)]
        discard_partial: bool,
        #[command(flatten)]
        others: OthersArguments,
    },
    /// Let jobs give back their slots and keep what they have
    Pause {
        /// Ids, unique parts of ids, or `last`
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
        #[command(flatten)]
        others: OthersArguments,
    },
    /// Put paused jobs back into the queue
    Resume {
        /// Ids, unique parts of ids, or `last`
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
        #[command(flatten)]
        others: OthersArguments,
    },
    /// Change how many bytes a second a job receives at most
    Limit {
        /// An id, a unique part of one, or `last`
        job: String,
        /// Such as 20MB, 500kB or 1.5MiB; `off` lifts the limit
        rate: RateLimit,
        #[command(flatten)]
        others: OthersArguments,
    },
    /// Submit the operations of jobs anew and follow them, under the same limits
    Retry {
        /// Ids, unique parts of ids, or `last`
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
        #[command(flatten)]
        ending: EndingArguments,
    },
}

/// What to do about jobs that another submitted.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OthersArguments {
    /// Do not ask before acting on a job that another submitted
    #[arg(long)]
    pub(crate) force: bool,
}

/// `job list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct JobListArguments {
    /// Also those that ended more than 24 h ago
    #[arg(long)]
    pub(crate) all: bool,
    /// Only jobs in this state
    #[arg(long, value_parser = JobState::ALL.map(JobState::as_str))]
    pub(crate) state: Option<String>,
}

/// What can be done with hives.
#[derive(Debug, Subcommand)]
pub(crate) enum HiveCommand {
    /// Add a hive on another machine by a name, once it has answered
    Add(HiveAddArguments),
    /// Forget a hive
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name
        name: String,
    },
    /// Give a hive another name
    Rename {
        /// Its name
        old: String,
        /// Its new name
        new: String,
    },
    /// List the hives there are, without asking them
    #[command(visible_alias = "ls")]
    List,
    /// Use this hive when none is named
    Use {
        /// Its name, or `local`
        name: String,
    },
    /// Start it in the background, on this machine or over ssh
    Start,
    /// Stop it; its jobs go on at its next start
    Stop,
    /// Stop it and start it again
    Restart,
    /// Say what it is doing
    Status,
    /// Look at the way to it and at itself, step by step, with what to do
    Doctor(HiveDoctorArguments),
    /// Give it a token for the Hub, read from standard input
    Login,
    /// Make it forget that token
    Logout,
    /// Say as whom it asks the Hub
    Whoami,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_aliases_take_the_same_arguments() {
        for line in [
            "keeper pull a/b --include *.gguf --limit-rate 20MB --on-term cancel",
            "keeper model pull a/b c/d --all-files --priority high --detach",
            "keeper model download a/b:Q4_K_M@main --force-download --format json",
            "keeper ls",
            "keeper model ls --hive gpu1",
            "keeper rm a/b --yes",
            "keeper ps --all",
            "keeper job ps",
            "keeper ps --state paused",
            "keeper job watch",
            "keeper job watch 9f3c41 2b8e07",
            "keeper job logs",
            "keeper job logs 9f3c41 2b8e07 -f",
            "keeper job show last 9f3c41",
            "keeper job cancel last 9f3c41 --discard-partial",
            "keeper job pause last --force",
            "keeper job resume 9f3c41 last",
            "keeper job retry 9f3c41 last --on-term cancel",
            "keeper job limit 9f3c41 1.5MiB/s",
            "keeper job limit last off",
            "keeper --quiet --no-progress --color never hive status",
            "keeper completions bash",
            "keeper hive add gpu1 ssh://alice@gpu1 --label gpu=a100 --label site=lab --no-check",
            "keeper hive add gpu1 https://gpu1:7835 --code 7KQM-2XHD --replace",
            "keeper pull a/b --hive gpu1 --hive gpu2",
            "keeper --hives gpu=a100 --hives site=lab job list",
            "keeper ps --all-hives",
            "keeper hive ls",
            "keeper hive rm gpu1",
            "keeper hive use local",
            "keeper hive rename gpu1 big",
        ] {
            let parsed = Arguments::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }

    #[test]
    fn a_refused_line_says_how_its_refusal_is_to_be_told() {
        let format = |line: &str| format_of_a_refused_line(line.split(' ').map(OsString::from));
        assert_eq!(format("keeper --format json modle list"), Format::Json);
        assert_eq!(format("keeper ls --format=json --nonsense"), Format::Json);
        assert_eq!(format("keeper --format human json"), Format::Human);
    }

    #[test]
    fn a_job_to_act_on_must_be_named() {
        for line in [
            "keeper job cancel",
            "keeper job pause",
            "keeper job resume",
            "keeper job retry",
            "keeper job limit 20MB",
            "keeper model download",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
    }
}
