//! `handshark report`: one file to hand over.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::analyse::{analyse, is_stdin};
use crate::cli::{ReportFormat, ReportOptions};
use crate::output::Sink;
use crate::output::html::{HtmlSink, Setting};
use crate::output::markdown::MarkdownSink;
use crate::report::{Report, SummaryReport};

/// Reads captures and writes the report. A file appears under its name only when it is whole.
pub(super) fn report(options: &ReportOptions) -> anyhow::Result<()> {
    let Some(path) = options.output.as_deref().filter(|path| !is_stdin(path)) else {
        if options.format == ReportFormat::Html && io::stdout().is_terminal() {
            bail!("the report is a page of HTML: name a file with -o report.html");
        }
        return write(options, &mut io::stdout().lock());
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().with_context(|| format!("{} is no file name", path.display()))?;
    let partial = directory.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let file = File::create(&partial).with_context(|| format!("cannot write to {}", directory.display()))?;
    let written = write(options, &mut BufWriter::new(&file)).and_then(|()| {
        file.sync_all()?;
        std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn write(options: &ReportOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut sink: Box<dyn Sink + '_> = match options.format {
        ReportFormat::Html => Box::new(HtmlSink::new(out, settings(options))),
        ReportFormat::Markdown => Box::new(MarkdownSink::new(out)),
    };
    let mut emit = |mut report: Report| {
        if let Report::Summary(summary) = &mut report {
            hash_inputs(summary);
        }
        sink.report(&report)
    };
    analyse(&options.inputs, &options.analysis, options.progress, &mut emit)?;
    sink.finish()?;
    Ok(())
}

/// What the reader of a report must know to come to the same result.
fn settings(options: &ReportOptions) -> Vec<Setting> {
    let analysis = &options.analysis;
    let mut list = vec![Setting::new("Stall after", format!("{} s without progress", analysis.stall_after.as_secs_f64()))];
    if let Some(filter) = &analysis.filter {
        list.push(Setting::new("Capture filter", filter.clone()));
    }
    let mut trusted: Vec<String> = if analysis.trust.system { vec!["the system's store".to_owned()] } else { Vec::new() };
    trusted.extend(analysis.trust.files.iter().chain(&analysis.trust.directories).map(|path| path.display().to_string()));
    let trusted = if trusted.is_empty() { "nobody: chains are not judged by trust".to_owned() } else { trusted.join(", ") };
    list.push(Setting::new("Authorities trusted", trusted));
    list
}

/// Files that cannot be read a second time stay without a hash.
fn hash_inputs(summary: &mut SummaryReport) {
    for input in &mut summary.inputs {
        let path = Path::new(&input.source);
        if !is_stdin(path) && path.is_file() {
            input.sha256 = sha256(path).ok();
        }
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; 1 << 20];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(data_encoding::HEXLOWER.encode(&hash.finalize()));
        }
        hash.update(block.get(..count).unwrap_or_default());
    }
}
