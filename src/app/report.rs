//! `handshark report`: one file to hand over.

use std::io::Write;
use std::path::Path;

use super::job::Job;
use super::{kept, naming, stop_on_signal};
use crate::anonymize::Anonymizer;
use crate::cli::{Query, ReportFormat, ReportOptions};
use crate::output::again::Again;
use crate::output::delivery::{Delivery, Manner};
use crate::output::html::HtmlSink;
use crate::output::markdown::MarkdownSink;
use crate::output::{Setting, Sink};

/// Reads captures and writes the report. A file appears under its name only when it is whole.
pub(super) fn report(options: &ReportOptions) -> anyhow::Result<()> {
    let path = options.output.as_deref().unwrap_or_else(|| Path::new("-"));
    let text = options.format == ReportFormat::Markdown;
    let mut delivery = Delivery::begin(
        path,
        &Manner { force: options.force, text, inputs: &kept(&options.inputs, &options.query, &[path]), ..Manner::default() },
    )?;
    let written = write(options, &mut delivery);
    written.map_err(|error| naming(error, |source| delivery.failed(source)))?;
    delivery.deliver()?;
    Ok(())
}

fn write(options: &ReportOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = settings(options);
    let Query { analysis, anonymize, zone, .. } = &options.query;
    // What is made anonymous names no file.
    let again = if anonymize.is_none() { Again::new(&options.inputs, &analysis.keylogs) } else { None };
    let mut sink: Box<dyn Sink + '_> = match options.format {
        ReportFormat::Html => Box::new(HtmlSink::new(out, settings).in_zone(zone.clone()).with_again(again)),
        ReportFormat::Markdown => Box::new(MarkdownSink::new(out).with_settings(settings).in_zone(zone.clone()).with_again(again)),
    };
    let job = Job {
        timeline: options.format == ReportFormat::Html,
        hashes: true,
        progress: options.progress,
        ..Job::new(&options.inputs, &options.query, stop_on_signal()?)
    };
    job.run(sink.as_mut())?;
    sink.finish()?;
    Ok(())
}

/// What the reader of a report must know to come to the same result.
fn settings(options: &ReportOptions) -> Vec<Setting> {
    let Query { analysis, criteria, anonymize, logs, zone: _ } = &options.query;
    let anonymizer = anonymize.as_ref().map(|key| Anonymizer::new(key.clone()));
    let hidden = |text: String| anonymizer.as_ref().map_or_else(|| text.clone(), |anonymizer| anonymizer.prose(&text));
    let path = |path: &std::path::PathBuf| {
        let path = path.display().to_string();
        anonymizer.as_ref().map_or_else(|| path.clone(), |anonymizer| anonymizer.file(&path))
    };
    let mut list = Vec::new();
    let asked = criteria.told();
    if !asked.is_empty() {
        list.push(Setting::new("Asked for", asked.into_iter().map(hidden).collect::<Vec<_>>().join("; ")));
    }
    list.push(Setting::new("Stall after", format!("{} s without progress", analysis.stall_after.as_secs_f64())));
    if let Some(filter) = &analysis.filter {
        list.push(Setting::new("Capture filter", hidden(filter.clone())));
    }
    if !analysis.keylogs.is_empty() {
        list.push(Setting::new("Decrypted with", analysis.keylogs.iter().map(path).collect::<Vec<_>>().join(", ")));
    }
    if !logs.is_empty() {
        list.push(Setting::new("Logs beside it", logs.iter().map(path).collect::<Vec<_>>().join(", ")));
    }
    let mut trusted: Vec<String> = if analysis.trust.system { vec!["the system's store".to_owned()] } else { Vec::new() };
    trusted.extend(analysis.trust.files.iter().chain(&analysis.trust.directories).map(path));
    let trusted = if trusted.is_empty() { "nobody: chains are not judged by trust".to_owned() } else { trusted.join(", ") };
    list.push(Setting::new("Authorities trusted", trusted));
    if anonymizer.is_some() {
        list.push(Setting::new("Anonymous", "addresses, names, certificates, ids and the names of files are pseudonyms".to_owned()));
    }
    list
}
