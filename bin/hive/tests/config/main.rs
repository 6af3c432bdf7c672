//! What a hive is told: which layer wins, what is refused, and that the refusal names the key.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod example_file;

use std::{ffi::OsString, fs, path::Path, time::Duration};

use hive::{Config, ConfigError, ConnectionLimits, LogFormat, Serve, Settings, TlsConfig};
use tempfile::TempDir;

struct Told {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
    arguments: Serve,
}

impl Told {
    fn nothing() -> Self {
        let home = TempDir::new().unwrap();
        let variables = vec![("HOME", home.path().to_str().unwrap().to_owned())];
        Self {
            home,
            variables,
            arguments: Serve::default(),
        }
    }

    fn flags(mut self, settings: Settings) -> Self {
        self.arguments.settings = settings;
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn file(self, text: &str) -> Self {
        let folder = self.home.path().join(".config/hive");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("hive.toml"), text).unwrap();
        self
    }

    fn resolve(self) -> Result<Config, ConfigError> {
        let variables = self.variables;
        let environment = move |name: &str| {
            let found = variables.iter().rev().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Config::resolve(&self.arguments, &environment)
    }
}

#[test]
fn told_nothing_it_listens_on_no_address_and_uses_the_hubs_own_folders() {
    let told = Told::nothing();
    let home = told.home.path().to_owned();
    let config = told.resolve().unwrap();
    assert_eq!(config.listen, []);
    assert_eq!((config.max_jobs, config.idle_exit), (4, None));
    assert_eq!(config.store, home.join(".cache/huggingface/hub"));
    assert_eq!(config.hub.shown_endpoint(), "https://huggingface.co");
    assert!(
        config
            .state
            .path()
            .starts_with(home.join(".local/state/hive"))
    );
    assert_eq!(config.log_format, LogFormat::Text);
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let told = Told::nothing()
        .file("max_jobs = 1\nallow_host = [\"file\"]\nidle_exit = \"1h\"\nmodel_dir = \"/file\"\n")
        .variable("HIVE_MAX_JOBS", "2")
        .variable("HIVE_ALLOW_HOST", "One.lan, two")
        .flags(Settings {
            max_jobs: Some(3),
            ..Settings::default()
        });
    let config = told.resolve().unwrap();
    assert_eq!(config.max_jobs, 3);
    assert_eq!(config.allow_hosts, ["one.lan", "two"]);
    assert_eq!(config.idle_exit, Some(Duration::from_hours(1)));
    assert_eq!(config.store, Path::new("/file"));
}

#[test]
fn what_downloads_may_use_together_is_said_in_each_layer() {
    let settled = |told: Told| {
        let config = told.resolve().unwrap();
        let limit = config.rate_limit.bytes_per_second();
        (config.download_connections, limit)
    };
    let by_file = || Told::nothing().file("connections = 4\nlimit_rate = \"1.5MiB\"\n");
    assert_eq!(settled(Told::nothing()), (16, None));
    assert_eq!(settled(by_file()), (4, Some(1_572_864)));
    let by_variable = by_file()
        .variable("HIVE_CONNECTIONS", "1024")
        .variable("HIVE_LIMIT_RATE", "500KB");
    assert_eq!(settled(by_variable), (1024, Some(500_000)));
    let by_flag = by_file().flags(Settings {
        connections: Some(1),
        limit_rate: Some("off".to_owned()),
        ..Settings::default()
    });
    assert_eq!(settled(by_flag), (1, None));
}

#[test]
fn how_many_ended_jobs_are_kept_and_how_long_is_said_in_each_layer() {
    let settled = |told: Told| {
        let config = told.resolve().unwrap();
        (config.keep_jobs, config.keep_jobs_for)
    };
    let by_file = || Told::nothing().file("keep_jobs = 100\nkeep_jobs_for = \"24h\"\n");
    let week = Duration::from_hours(168);
    assert_eq!(settled(Told::nothing()), (10_000, week));
    assert_eq!(settled(by_file()), (100, Duration::from_hours(24)));
    let by_variable = by_file()
        .variable("HIVE_KEEP_JOBS", "7")
        .variable("HIVE_KEEP_JOBS_FOR", "90m");
    assert_eq!(settled(by_variable), (7, Duration::from_mins(90)));
    let by_flag = by_file().flags(Settings {
        keep_jobs: Some(1),
        keep_jobs_for: Some("168h".to_owned()),
        ..Settings::default()
    });
    assert_eq!(settled(by_flag), (1, week));
    let none = Told::nothing().variable("HIVE_KEEP_JOBS", "0").resolve();
    assert!(none.unwrap_err().to_string().contains("`HIVE_KEEP_JOBS`"));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let told = Told::nothing()
        .file("max_jobs = 1\n")
        .variable("HIVE_MAX_JOBS", "");
    assert_eq!(told.resolve().unwrap().max_jobs, 1);
}

#[test]
fn an_address_without_a_port_gets_the_hives_own() {
    for (text, address) in [
        ("127.0.0.1", "127.0.0.1:7835"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("::1", "[::1]:7835"),
        ("[::1]", "[::1]:7835"),
        ("[::1]:0", "[::1]:0"),
    ] {
        let told = Told::nothing().variable("HIVE_LISTEN", text);
        assert_eq!(told.resolve().unwrap().listen, [address.parse().unwrap()]);
    }
}

#[test]
fn an_address_that_others_reach_needs_insecure_http_said_in_so_many_words() {
    for address in ["0.0.0.0:7835", "192.168.1.20", "[::]:1", "8.8.8.8:1"] {
        let flags = |insecure_http| Settings {
            listen: Some(vec!["127.0.0.1".to_owned(), address.to_owned()]),
            insecure_http,
            ..Settings::default()
        };
        let refused = Told::nothing().flags(flags(None)).resolve().unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("`--listen`") && text.contains("--insecure-http"),
            "{text}"
        );
        let allowed = Told::nothing().flags(flags(Some(true))).resolve().unwrap();
        assert_eq!(allowed.listen.len(), 2);
        let by_variable = Told::nothing()
            .flags(flags(None))
            .variable("HIVE_INSECURE_HTTP", "1");
        assert_eq!(by_variable.resolve().unwrap().listen.len(), 2);
    }
}

#[test]
fn t2_beyond_loopback_only_with_tls_or_told_so_in_so_many_words() {
    let beyond = [
        "0.0.0.0:0",
        "[::]:0",
        "192.168.1.20:0",
        "[fe80::1]:0",
        "[::ffff:192.168.1.20]:0",
    ];
    let within = [
        "127.0.0.1:0",
        "127.8.8.8:0",
        "[::1]:0",
        "[::ffff:127.0.0.1]:0",
    ];
    let plain = Settings::default;
    let insecure = || Settings {
        insecure_http: Some(true),
        ..plain()
    };
    let not_insecure = || Settings {
        insecure_http: Some(false),
        ..plain()
    };
    let self_signed = || Settings {
        tls_self_signed: Some(true),
        ..plain()
    };
    let given = || Settings {
        tls_cert: Some("cert.pem".into()),
        tls_key: Some("key.pem".into()),
        ..plain()
    };
    for (settings, may_go_beyond) in [
        (plain(), false),
        (not_insecure(), false),
        (insecure(), true),
        (self_signed(), true),
        (given(), true),
    ] {
        for address in beyond.into_iter().chain(within) {
            let settings = Settings {
                listen: Some(vec![address.to_owned()]),
                ..settings.clone()
            };
            let resolved = Told::nothing().flags(settings.clone()).resolve();
            let expected = may_go_beyond || within.contains(&address);
            assert_eq!(resolved.is_ok(), expected, "{settings:?}: {resolved:?}");
        }
    }
}

#[test]
fn a_certificate_is_said_in_each_layer_and_only_in_one_way() {
    let files = |told: Told| match told.resolve().unwrap().tls {
        Some(TlsConfig::Given { certificate, key }) => (certificate.path, key.path),
        other => panic!("{other:?}"),
    };
    let by_file = || Told::nothing().file("tls_cert = \"/f/cert\"\ntls_key = \"/f/key\"\n");
    assert_eq!(files(by_file()), ("/f/cert".into(), "/f/key".into()));
    let by_variable = by_file().variable("HIVE_TLS_CERT", "/v/cert");
    assert_eq!(files(by_variable), ("/v/cert".into(), "/f/key".into()));
    let own = Told::nothing().variable("HIVE_TLS_SELF_SIGNED", "1");
    assert_eq!(own.resolve().unwrap().tls, Some(TlsConfig::SelfSigned));
    let none = Told::nothing().variable("HIVE_TLS_SELF_SIGNED", "0");
    assert_eq!(none.resolve().unwrap().tls, None);
    for (one, other) in [
        ("HIVE_TLS_SELF_SIGNED", "HIVE_TLS_CERT"),
        ("HIVE_TLS_SELF_SIGNED", "HIVE_TLS_KEY"),
        ("HIVE_INSECURE_HTTP", "HIVE_TLS_SELF_SIGNED"),
    ] {
        let told = Told::nothing().variable(one, "1").variable(other, "1");
        let error = told.resolve().unwrap_err().to_string();
        assert!(error.contains(one) && error.contains(other), "{error}");
    }
    for alone in ["HIVE_TLS_CERT", "HIVE_TLS_KEY"] {
        let told = Told::nothing().variable(alone, "/file").resolve();
        assert!(told.unwrap_err().to_string().contains(alone));
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_key() {
    let variables = [
        ("HIVE_LISTEN", "localhost:7835"),
        ("HIVE_LISTEN", "127.0.0.1:99999"),
        ("HIVE_MAX_JOBS", "0"),
        ("HIVE_MAX_JOBS", "many"),
        ("HIVE_CONNECTIONS", "0"),
        ("HIVE_CONNECTIONS", "1025"),
        ("HIVE_LIMIT_RATE", "0"),
        ("HIVE_LIMIT_RATE", "fast"),
        ("HIVE_INSECURE_HTTP", "maybe"),
        ("HIVE_ALLOW_HOST", "http://gpu1"),
        ("HIVE_IDLE_EXIT", "soon"),
        ("HIVE_IDLE_EXIT", "-3m"),
        ("HIVE_NETWORK_PATIENCE", "for ever"),
        ("HTTPS_PROXY", "socks5://proxy.example"),
        ("HIVE_LOG", "hive=loud"),
        ("HIVE_LOG_FORMAT", "xml"),
        ("HF_ENDPOINT", "ftp://hub"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "long"),
    ];
    for (name, value) in variables {
        let error = Told::nothing().variable(name, value).resolve().unwrap_err();
        assert!(error.to_string().contains(name), "{name}={value}: {error}");
    }
}

#[test]
fn a_key_of_the_file_that_is_unknown_or_wrong_is_named_with_the_file() {
    for (text, key) in [
        ("max_job = 3\n", "max_job"),
        ("max_jobs = \"3\"\n", "max_jobs"),
        ("listen = [\"1.2.3\"]\n", "listen in "),
        ("max_jobs = \n", "hive.toml"),
    ] {
        let error = Told::nothing()
            .file(text)
            .resolve()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(key) && error.contains("hive.toml"),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_named_by_its_flag_must_be_there() {
    let mut told = Told::nothing();
    told.arguments.config = Some("/no/such/hive.toml".into());
    let error = told.resolve().unwrap_err();
    assert!(error.to_string().contains("/no/such/hive.toml"));
}

#[test]
fn no_password_of_the_endpoint_or_the_proxy_is_shown() {
    let told = Told::nothing()
        .variable("HF_ENDPOINT", "https://alice:canary@hub.example/path")
        .variable("HF_TOKEN", "canary")
        .variable("HTTPS_PROXY", "http://alice:canary@proxy.example:3128");
    let config = told.resolve().unwrap();
    assert_eq!(config.hub.shown_endpoint(), "https://hub.example/path");
    assert_eq!(
        config.hub.proxy.as_deref(),
        Some("http://proxy.example:3128")
    );
    assert_eq!(
        config.hub.settings.token.as_ref().unwrap().source(),
        "HF_TOKEN"
    );
    let shown = format!("{:?}", config.hub.settings.token);
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_job_waits_a_day_for_the_network_unless_told_otherwise() {
    let patience = |told: Told| told.resolve().unwrap().hub.settings.limits.network_patience;
    let day = std::time::Duration::from_hours(24);
    assert_eq!(patience(Told::nothing()), day);
    let told = Told::nothing().variable("HIVE_NETWORK_PATIENCE", "1h 30m");
    assert_eq!(patience(told).as_secs(), 5400);
    let told = Told::nothing().file("network_patience = \"0s\"\n");
    assert!(patience(told).is_zero());
}

#[test]
fn the_hub_is_left_alone_when_its_variable_says_so() {
    let offline = |told: Told| told.resolve().unwrap().hub.settings.is_offline;
    assert!(!offline(Told::nothing()));
    assert!(offline(Told::nothing().variable("HF_HUB_OFFLINE", "1")));
}

#[test]
fn connections_take_no_more_than_their_share_of_the_open_files() {
    let limits = ConnectionLimits::default();
    assert_eq!(limits.within(None), limits);
    assert_eq!(limits.within(Some(131_072)), limits);
    for open_files in [64, 1024, 4096, 20_000] {
        let within = limits.within(Some(open_files));
        let files = usize::try_from(open_files).unwrap();
        let for_the_work = files - within.open_connections - within.open_unix_connections;
        assert!(for_the_work >= (files / 8 * 3).min(2048), "{within:?}");
        assert!(within.open_streams < within.open_connections);
        assert!(within.open_connections_per_address <= within.open_connections / 8);
        assert!(within.open_streams_per_job <= within.open_streams);
        assert_eq!(within.drain_timeout, limits.drain_timeout);
    }
    // Where a limit of 20,000 is common, ten thousand may watch one job.
    assert!(limits.within(Some(20_000)).open_streams_per_job >= 10_000);
}
