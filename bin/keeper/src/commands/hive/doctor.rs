//! `keeper hive doctor`: the way to a hive and the hive itself, step by step, each with what to do. It starts nothing.
//!
//! What cannot be looked at because a step before it failed has no line.

mod sheet;
mod way;

use hive_api::{Diagnosis, Finding, HiveInfo, MeasuredRates, Open, ProblemCode, RunDoctor, Scope};
use hive_client::{ClientError, HttpEndpoint};
use jiff::Timestamp;

use self::sheet::Sheet;
use crate::{
    app::{App, Way},
    args::HiveDoctorArguments,
    exit_code::Ending,
    failure::Failure,
    hives::{Hive, Place},
    own_hive::OwnHive,
};

/// A token that ends sooner is to be replaced.
const FEW_DAYS: i64 = 7;
/// A hive makes no more findings; a hostile one is not shown further.
const MOST_FINDINGS: usize = 40;
const SECONDS_OF_A_DAY: i64 = 86_400;

pub(in crate::commands) async fn run(
    app: &App,
    arguments: &HiveDoctorArguments,
) -> Result<Ending, Failure> {
    let target = app.target_named(arguments.name.as_deref())?;
    let mut sheet = Sheet::new(&app.printer);
    let mut rates = MeasuredRates::default();
    let way = app.way(&target, app.asking());
    let reached = match &target.place {
        Place::Http(endpoint) => at_address(way, endpoint, &mut sheet).await,
        Place::Ssh { .. } => own(way, "ssh", &mut sheet).await,
        Place::Local => own(way, "hive", &mut sheet).await,
        Place::Unusable(failure) => {
            sheet.failed("entry", failure);
            None
        }
    };
    if let Some(hive) = reached {
        let has_token = matches!(target.place, Place::Http(_));
        if let Some(info) = introduce(&hive, has_token, &mut sheet).await {
            way::stream(&hive, &mut sheet).await;
            let model = arguments.model.clone();
            rates = ask_hive(&hive, &info, model, &mut sheet).await;
        }
    }
    Ok(Ending::Code(sheet.finish(rates)))
}

/// The hive behind an address, if what answers there is one.
async fn at_address(
    way: Result<Way, Failure>,
    endpoint: &HttpEndpoint,
    sheet: &mut Sheet<'_>,
) -> Option<Hive> {
    let (url, next) = match &endpoint.proxy {
        Some(proxy) => {
            sheet.tell(Finding::ok("way", format!("through the proxy {proxy}")));
            (proxy.url(), way::PROXY_CLOSED)
        }
        None => (&endpoint.url, way::HIVE_CLOSED),
    };
    let is_open = way::is_open(url, next, sheet).await;
    match way {
        Ok(Way::Address(hive)) if is_open => {
            way::contact(&hive, endpoint, sheet).await.then_some(hive)
        }
        Ok(Way::Address(_) | Way::Own(_)) => None,
        Err(failure) => {
            sheet.failed("tls", &failure);
            None
        }
    }
}

/// The hive of this machine or behind ssh, if it answers.
async fn own(way: Result<Way, Failure>, check: &str, sheet: &mut Sheet<'_>) -> Option<Hive> {
    match way {
        Ok(Way::Own(own)) => answers(own, check, sheet).await,
        Ok(Way::Address(hive)) => Some(hive),
        Err(failure) => {
            sheet.failed(check, &failure);
            None
        }
    }
}

/// Whether a hive that keeper could start answers; it is not started.
async fn answers(own: OwnHive, check: &str, sheet: &mut Sheet<'_>) -> Option<Hive> {
    match own.answers().await {
        Ok(true) => {
            let found = match own {
                OwnHive::Local(_) => "runs here, and its socket answers",
                OwnHive::Ssh(_) => "connects, and the hive behind it answers",
            };
            sheet.tell(Finding::ok(check, found));
            Some(own.hive().clone())
        }
        Ok(false) => {
            let mut failure = own.not_running("");
            if let OwnHive::Local(_) = own {
                let next = "keeper hive start; hive doctor looks at this machine without one";
                failure.problem.hint = Some(next.to_owned());
            }
            sheet.failed("hive", &failure);
            None
        }
        Err(failure) => {
            sheet.failed(check, &failure);
            None
        }
    }
}

/// Who the hive takes us for, and which version it is.
async fn introduce(hive: &Hive, has_token: bool, sheet: &mut Sheet<'_>) -> Option<HiveInfo> {
    let info = match hive.client.hive().await {
        Ok(info) => info,
        Err(error) => {
            let check = if has_token { "token" } else { "hive" };
            sheet.failed(check, &Failure::of_client(hive, &error));
            return None;
        }
    };
    if has_token {
        sheet.tell(token(hive, &info, Timestamp::now()));
    }
    sheet.tell(version(hive, env!("CARGO_PKG_VERSION"), &info.version));
    Some(info)
}

fn token(hive: &Hive, info: &HiveInfo, now: Timestamp) -> Finding {
    let reach = match &info.caller.scope {
        Open::Known(Scope::Read) => "may look",
        Open::Known(Scope::Infer) => "may use engines",
        Open::Known(Scope::Operate) => "may act",
        Open::Known(Scope::Admin) => "may do everything",
        Open::Unknown(scope) => scope,
    };
    let name = &info.caller.name;
    let Some(end) = info.caller.expires_at else {
        return Finding::ok("token", format!("{name}, {reach}, no end"));
    };
    let days = days_until(end, now);
    let found = format!("{name}, {reach}, {days} days left");
    if days < FEW_DAYS {
        let next = format!("{} (docs/OPERATIONS.md#token)", hive.how_to_pair());
        return Finding::warn("token", found, next);
    }
    Finding::ok("token", found)
}

fn days_until(end: Timestamp, now: Timestamp) -> i64 {
    end.as_second().saturating_sub(now.as_second()) / SECONDS_OF_A_DAY
}

fn version(hive: &Hive, ours: &str, theirs: &str) -> Finding {
    if ours == theirs {
        return Finding::ok("version", format!("keeper and hive {ours}"));
    }
    let found = format!("keeper {ours}, hive {theirs}");
    let is_ours_older = numbers(ours) < numbers(theirs);
    let next = if is_ours_older {
        "install the newer keeper here (docs/OPERATIONS.md#upgrade)".to_owned()
    } else if hive.is_local || hive.tunnel.is_some() {
        let restart = hive.command("hive restart");
        format!("install the newer hive there, then {restart} (docs/OPERATIONS.md#upgrade)")
    } else {
        "install the newer hive there and restart it (docs/OPERATIONS.md#upgrade)".to_owned()
    };
    Finding::warn("version", found, next)
}

/// `0.4.1` in an order; what is no number counts as none.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-', '+']).take(3);
    parts.map(|part| part.parse().unwrap_or_default()).collect()
}

/// What the hive finds when it looks at itself.
async fn ask_hive(
    hive: &Hive,
    info: &HiveInfo,
    model: Option<String>,
    sheet: &mut Sheet<'_>,
) -> MeasuredRates {
    let may_ask = info
        .caller
        .scope
        .known()
        .is_none_or(|scope| *scope >= Scope::Operate);
    if !may_ask {
        let next = "on its machine: hive doctor; or with a token of the scope operate (docs/OPERATIONS.md#token)";
        sheet.tell(Finding::skip(
            "hive",
            "this token may not have it look at itself",
            next,
        ));
        return MeasuredRates::default();
    }
    sheet.meanwhile(&format!(
        "{} looks at itself, which takes some seconds",
        hive.name
    ));
    match hive.client.doctor(&RunDoctor { model }).await {
        Ok(Diagnosis { findings, rates }) => {
            for mut finding in findings.into_iter().take(MOST_FINDINGS) {
                finding.next = finding.next.map(|next| hive.reaching(&next));
                sheet.tell(finding);
            }
            rates
        }
        Err(error) if is_missing(&error) => {
            sheet.tell(too_old("hive"));
            MeasuredRates::default()
        }
        Err(error) => {
            sheet.failed("hive", &Failure::of_client(hive, &error));
            MeasuredRates::default()
        }
    }
}

/// Whether the hive does not know the route.
fn is_missing(error: &ClientError) -> bool {
    let code = error.problem().and_then(|problem| problem.code.known());
    matches!(
        code,
        Some(ProblemCode::NotFound | ProblemCode::MethodNotAllowed)
    )
}

fn too_old(check: &str) -> Finding {
    let next = "install the newer hive there and restart it (docs/OPERATIONS.md#upgrade)";
    Finding::skip(check, "this hive is too old to be asked", next)
}

#[cfg(test)]
mod tests {
    use hive_api::FindingLevel;

    use super::*;
    use crate::hives::{Config, choose};

    fn info() -> HiveInfo {
        serde_json::from_str(include_str!("../../../../../docs/api/hive_info.json")).unwrap()
    }

    fn hive() -> Hive {
        let target = choose(Some("http://127.0.0.1:9"), &Config::default(), &|_| None).unwrap();
        let Place::Http(endpoint) = &target.place else {
            panic!("{target:?}")
        };
        Hive::connect(&target, &hive_client::Endpoint::Http(endpoint.clone())).unwrap()
    }

    #[test]
    fn a_token_that_ends_soon_is_a_warning() {
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        let fine = token(&hive(), &info(), now("2026-11-22T23:00:00Z"));
        assert_eq!(fine, Finding::ok("token", "laptop, may act, 28 days left"));
        let late = token(&hive(), &info(), now("2026-12-19T00:00:00Z"));
        assert!(late.is(FindingLevel::Warn));
        assert!(late.next.unwrap().starts_with("pair with it: hive pair"));
        let mut endless = info();
        endless.caller.expires_at = None;
        assert!(token(&hive(), &endless, now("2026-11-22T00:00:00Z")).is(FindingLevel::Ok));
    }

    #[test]
    fn the_older_side_of_two_versions_is_the_one_to_renew() {
        let found = |ours: &str, theirs: &str| version(&hive(), ours, theirs);
        assert!(found("0.4.1", "0.4.1").is(FindingLevel::Ok));
        let older_hive = found("0.10.0", "0.9.3");
        assert_eq!(older_hive.found, "keeper 0.10.0, hive 0.9.3");
        assert!(older_hive.next.unwrap().contains("newer hive there"));
        assert!(
            found("0.9.3", "0.10.0")
                .next
                .unwrap()
                .contains("newer keeper here")
        );
    }
}
