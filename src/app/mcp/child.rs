//! One call: the program itself in a process of its own, confined to the directory, for a limited time.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::cli::McpOptions;
use crate::limits;

/// How a call ended.
#[derive(Default)]
pub(super) struct Ended {
    /// None when it did not end by itself, even when it was asked to.
    status: Option<ExitStatus>,
    /// Nobody wants it any more.
    pub(super) cancelled: bool,
    /// Its time was over.
    pub(super) late: bool,
    /// What it said on standard error, as far as that is kept.
    pub(super) said: String,
}

impl Ended {
    /// It did what it was asked to, or as much of it as it could before it was told to end.
    pub(super) fn is_done(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Why it failed, where it did not say so itself.
    pub(super) fn why(&self) -> String {
        match self.status {
            Some(status) => format!("handshark ended with {status}: what was asked may take more memory than one call is given"),
            None => "handshark had to be ended".to_owned(),
        }
    }
}

/// Runs `words` as a command and gives `take` the lines that it writes, an empty one in place of a line that is too long; until it is done, its time is
/// over, or it is cancelled.
pub(super) async fn run(
    options: &McpOptions,
    words: &[OsString],
    cancelled: impl Future<Output = ()>,
    mut take: impl FnMut(&[u8]),
) -> io::Result<Ended> {
    // Whatever has been put in the program's place meanwhile, this is the one that runs.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("handshark").arg("mcp").args(trust_words(options)).arg(&options.directory).arg("--").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else { return Err(io::Error::other("it has no output")) };
    let mut ended = Ended::default();
    {
        let read = async {
            let (read, said) = tokio::join!(lines(out, &mut take), said(err));
            read.map(|()| said)
        };
        tokio::pin!(read, cancelled);
        let said = tokio::select! {
            said = &mut read => Some(said?),
            () = &mut cancelled => {
                ended.cancelled = true;
                None
            }
            () = sleep(options.time) => {
                ended.late = true;
                // It ends with what it has read.
                if let Some(pid) = pid {
                    let _ = kill_process(pid, Signal::TERM);
                }
                tokio::select! {
                    said = timeout(limits::AGENT_GRACE, &mut read) => said.ok().transpose()?,
                    () = &mut cancelled => None,
                }
            }
        };
        ended.said = said.unwrap_or_default();
    }
    // What has closed its outputs has ended, or does so at once; all else is not waited for.
    if ended.cancelled || timeout(limits::AGENT_GRACE, child.wait()).await.is_err() {
        child.kill().await?;
    } else {
        ended.status = Some(child.wait().await?);
    }
    Ok(ended)
}

/// The options that say whose certificates are trusted.
pub(super) fn trust_words(options: &McpOptions) -> Vec<OsString> {
    let option = |name: &str, path: &std::path::PathBuf| {
        let mut word = OsString::from(name);
        word.push(path);
        word
    };
    let mut words = Vec::new();
    words.extend(options.trust.files.iter().map(|path| option("--ca-file=", path)));
    words.extend(options.trust.directories.iter().map(|path| option("--ca-dir=", path)));
    if !options.trust.system {
        words.push("--no-trust".into());
    }
    words
}

async fn lines(from: impl AsyncRead + Unpin, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
    let mut from = BufReader::with_capacity(limits::READ_BYTES, from);
    let (mut line, mut dropping) = (Vec::new(), false);
    loop {
        let ahead = from.fill_buf().await?;
        if ahead.is_empty() {
            break;
        }
        let end = ahead.iter().position(|byte| *byte == b'\n');
        let (piece, _) = ahead.split_at(end.unwrap_or(ahead.len()));
        if line.len().saturating_add(piece.len()) > limits::AGENT_LINE {
            dropping = true;
            line.clear();
        }
        if !dropping {
            line.extend_from_slice(piece);
        }
        let read = piece.len().saturating_add(usize::from(end.is_some()));
        from.consume(read);
        if end.is_some() {
            if dropping || !line.is_empty() {
                take(&line);
            }
            line.clear();
            dropping = false;
        }
    }
    // What a process that was ended had begun to write is no line.
    Ok(())
}

/// The beginning of what is said; the rest is read so that nobody waits to say it.
async fn said(mut from: impl AsyncRead + Unpin) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let room = limits::AGENT_SAID.saturating_sub(kept.len());
        kept.extend(piece.iter().take(read.min(room)));
    }
    String::from_utf8_lossy(&kept).into_owned()
}
