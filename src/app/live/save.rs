//! What the view's reader wants to keep: packets or a page of what is selected, in the one directory that was named for it before the process was
//! confined.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::capture::FrameSource;
use crate::cli::LiveCommand;
use crate::output::Setting;
use crate::output::delivery::{Delivery, Manner};
use crate::output::escape::escape;
use crate::output::html::HtmlSink;
use crate::recorder::{Recorder, Shelf, compose};
use crate::report::{Handshake, Id, Report, Sink as _};
use crate::time::Timestamp;
use crate::tui::{Form, Wish};

use super::record::tapped;

/// Keeps packets for who may want them, and writes what is asked for.
pub(super) struct Saver {
    directory: PathBuf,
    /// Names of the interfaces, by index.
    interfaces: Vec<String>,
    recorder: Arc<Mutex<Recorder>>,
    shelf: Mutex<Shelf>,
}

/// Where the view may save: the directory that was named; without one, where it was started, if nothing confines it.
pub(super) fn directory(command: &LiveCommand) -> Option<PathBuf> {
    command.save.clone().or_else(|| (!command.sandbox).then(|| PathBuf::from(".")))
}

impl Saver {
    pub(super) fn new(directory: PathBuf, interfaces: Vec<String>) -> Self {
        Self { directory, interfaces, recorder: Arc::new(Mutex::new(Recorder::new(UNDER_WAY))), shelf: Mutex::new(Shelf::new(DONE)) }
    }

    /// The source, with its packets seen here too.
    pub(super) fn beside(&self, source: Box<dyn FrameSource>) -> Box<dyn FrameSource> {
        tapped(source, &self.recorder)
    }

    /// A handshake was reported: its packets are kept, where it was `asked` for.
    pub(super) fn conclude(&self, report: &Handshake<'_>, asked: bool) {
        if report.handshake.provisional {
            return;
        }
        let recording = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).conclude(report, asked);
        if let Some(recording) = recording {
            self.shelf.lock().unwrap_or_else(PoisonError::into_inner).keep(recording);
        }
    }

    /// Writes what is wished and says where, or why not.
    pub(super) fn save(&self, wish: &Wish, now: Timestamp) -> Result<String, String> {
        let told = |error: &dyn std::error::Error| escape(&error.to_string()).into_owned();
        let path = self.directory.join(name(wish, now));
        match wish.form {
            Form::Page => deliver(&path, |out| page(wish, out)).map_err(|error| told(&error))?,
            Form::Packets => {
                let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
                let ids: BTreeSet<Id> = handshakes(wish).map(|one| one.handshake.id).collect();
                let recordings = shelf.of(&ids);
                if recordings.is_empty() {
                    return Err("their packets are no longer in memory, or the handshake is still under way.".to_owned());
                }
                deliver(&path, |out| compose(&recordings, &self.interfaces, out)).map_err(|error| told(&error))?;
                let lacking = ids.len().saturating_sub(recordings.len());
                if lacking > 0 {
                    return Ok(format!("{} (the packets of {lacking} older ones are no longer in memory)", self.place(&path)));
                }
            }
        }
        Ok(self.place(&path))
    }

    /// The name first: a narrow terminal cuts the end, and the directory is the one that was given.
    fn place(&self, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("{} in {}", escape(&name), escape(&self.directory.display().to_string()))
    }
}

fn deliver(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> crate::error::Result<()> {
    let mut delivery = Delivery::begin(path, &Manner::default())?;
    write(&mut delivery).map_err(|error| delivery.failed(error))?;
    delivery.deliver()
}

fn handshakes(wish: &Wish) -> impl Iterator<Item = &Handshake<'static>> {
    wish.reports.iter().filter_map(|report| if let Report::Handshake(one) = &**report { Some(&**one) } else { None })
}

fn page(wish: &Wish, out: &mut dyn io::Write) -> io::Result<()> {
    let mut sink = HtmlSink::new(out, vec![Setting::new("Taken from", "a live run, by hand".to_owned())]);
    // Incidents come after handshakes.
    let incidents = wish.reports.iter().filter(|report| !matches!(***report, Report::Handshake(_)));
    handshakes(wish).try_for_each(|one| sink.handshake(one))?;
    incidents.into_iter().try_for_each(|report| report.give(&mut sink))?;
    sink.finish()
}

/// `handshark-20261121T090012.031Z-certificate-expired.pcapng`: by what it holds when it is saved.
fn name(wish: &Wish, now: Timestamp) -> String {
    let time: String = now.to_string().chars().take(23).filter(|c| !matches!(c, '-' | ':')).collect();
    let cause = handshakes(wish).find_map(|one| one.diagnosis.cause).map_or_else(|| "handshakes".to_owned(), |cause| cause.to_string());
    let suffix = match wish.form {
        Form::Packets => "pcapng",
        Form::Page => "html",
    };
    format!("handshark-{time}Z-{cause}.{suffix}")
}

/// Memory for packets of handshakes that are under way, and of those that are over.
const UNDER_WAY: usize = 32 << 20;
const DONE: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn wish(form: Form) -> Wish {
        let handshake = Arc::new(Report::Handshake(Box::new(samples::expired(0))));
        Wish { form, reports: vec![handshake, Arc::new(Report::Incident(Box::new(samples::incident())))] }
    }

    #[test]
    fn a_page_is_written_whole_and_never_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let saver = Saver::new(directory.path().to_owned(), vec!["eth0".to_owned()]);
        let now = Timestamp::from_parts(1_795_251_860, 31_000_000);
        let place = saver.save(&wish(Form::Page), now).unwrap();
        let name = "handshark-20261121T090420.031Z-certificate-expired.html";
        assert_eq!(place, format!("{name} in {}", directory.path().display()));
        let page = std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(page.contains("certificate-expired") && page.ends_with("</html>"));
        assert!(saver.save(&wish(Form::Page), now).unwrap_err().contains("it exists already"));
    }

    #[test]
    fn packets_that_are_gone_are_not_saved() {
        let directory = tempfile::tempdir().unwrap();
        let saver = Saver::new(directory.path().to_owned(), Vec::new());
        let why = saver.save(&wish(Form::Packets), Timestamp::from_parts(1, 0)).unwrap_err();
        assert!(why.contains("no longer in memory"), "{why}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
