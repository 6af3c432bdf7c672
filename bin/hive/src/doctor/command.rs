//! `hive doctor`: asks the hive that runs, and where none does looks by itself, as `hive serve` would be started.

use std::{
    io::{self, Write},
    sync::Arc,
};

use hive_api::{Diagnosis, DoctorSummary, Finding, MeasuredRates, RunDoctor, StateFolder};

use super::Patient;
use crate::{
    access::commands::ask,
    cli::{Doctor, Format, Serve},
    config::{Config, Environment, local_state_folder},
    exit_code::{BROKEN, DONE, Failure},
    program::in_one_line,
    serve::unattended,
};

/// Runs the checks, prints each finding as it comes, and gives the exit code.
pub(crate) fn run(arguments: &Doctor, environment: &Environment) -> Result<u8, Failure> {
    let folder = local_state_folder(environment)?;
    let what = RunDoctor {
        model: arguments.model.clone(),
    };
    let json = arguments.format == Format::Json;
    let mut tell = |finding: &Finding| tell(finding, json);
    let asked = ask(&folder, async |hive| hive.doctor(&what).await)?;
    let diagnosis = match asked {
        Some(diagnosis) => {
            tell(&Finding::ok(
                "hive",
                format!("runs, {}", folder.socket().display()),
            ));
            diagnosis.findings.iter().for_each(tell);
            diagnosis
        }
        None => alone(&folder, &what, environment, &mut tell)?,
    };
    let summary = DoctorSummary::of(&diagnosis.findings, diagnosis.rates);
    let last = if json {
        serde_json::json!({ "summary": summary }).to_string()
    } else {
        summary.to_string()
    };
    writeln!(io::stdout(), "{last}")?;
    Ok(if summary.failed > 0 { BROKEN } else { DONE })
}

fn tell(finding: &Finding, json: bool) {
    let mut stdout = io::stdout();
    let lines = if json {
        serde_json::to_string(finding).into_iter().collect()
    } else {
        finding.lines()
    };
    for line in lines {
        // A reader that has gone cannot be told.
        let _ = writeln!(stdout, "{line}");
    }
}

/// The same checks without a hive. What `hive serve` would refuse to start with is a finding too.
fn alone(
    folder: &StateFolder,
    what: &RunDoctor,
    environment: &Environment,
    tell: &mut (impl FnMut(&Finding) + Send),
) -> Result<Diagnosis, Failure> {
    let mut findings = vec![Finding::ok(
        "hive",
        "none runs here: this is what one would find",
    )];
    tell(&findings[0]);
    let prepared = Config::resolve(&Serve::default(), environment)
        .map_err(Failure::from)
        .and_then(|config| Ok(unattended(config, folder)?));
    let (facts, downloads) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            let next = failure.remedy();
            let next = next.unwrap_or_else(|| "correct it; hive serve ends with it too".to_owned());
            let finding = Finding::fail("settings", in_one_line(&failure), next);
            tell(&finding);
            findings.push(finding);
            let rates = MeasuredRates::default();
            return Ok(Diagnosis { findings, rates });
        }
    };
    let patient = Patient {
        facts,
        downloads: Arc::clone(&downloads),
        receiving_bytes_per_second: 0,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let examined = runtime.block_on(patient.examine(what.model.as_deref(), tell));
    // A disk that does not answer is not waited for.
    runtime.shutdown_background();
    findings.extend(examined.findings);
    Ok(Diagnosis {
        findings,
        rates: examined.rates,
    })
}
