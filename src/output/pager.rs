//! Standard output of what people read: through a pager when it is longer than the screen.

use std::env;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// When to use a pager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paging {
    /// On a terminal, for what is longer than its screen.
    #[default]
    Auto,
    /// On a terminal, for whatever is shown.
    Always,
    /// Not at all.
    Never,
}

/// Standard output, behind a pager where one is wanted. Ends with [`Pager::close`].
#[derive(Debug)]
pub struct Pager {
    state: State,
}

#[derive(Debug)]
enum State {
    /// What fits the screen so far.
    Held(Held),
    /// As it is.
    Direct(BufWriter<Stdout>),
    /// Into a pager.
    Paged(BufWriter<ChildStdin>, Child),
}

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    columns: usize,
    /// Rows that are left before the screen is full.
    rows: usize,
    /// Columns of the row begun.
    column: usize,
    /// Within an escape sequence, which takes no columns.
    escape: bool,
}

impl Pager {
    /// Standard output: held back, up to a screenful, where a pager may be wanted.
    pub fn new(paging: Paging) -> Self {
        let stdout = io::stdout();
        let size = terminal_size::terminal_size_of(&stdout).filter(|_| paging != Paging::Never && stdout.is_terminal());
        let state = match size {
            Some((columns, rows)) => {
                let rows = if paging == Paging::Always { 0 } else { usize::from(rows.0).saturating_sub(1) };
                State::Held(Held { bytes: Vec::new(), columns: usize::from(columns.0).max(1), rows, column: 0, escape: false })
            }
            None => State::Direct(BufWriter::with_capacity(BUFFER, stdout)),
        };
        Self { state }
    }

    /// Shows what is held back and waits until a pager is left.
    pub fn close(self) -> io::Result<()> {
        match self.state {
            State::Held(held) => {
                let mut stdout = io::stdout();
                stdout.write_all(&held.bytes)?;
                stdout.flush()
            }
            State::Direct(mut out) => out.flush(),
            State::Paged(mut into, mut child) => {
                let written = into.flush();
                drop(into);
                let waited = child.wait();
                SHOWN.store(false, Ordering::Relaxed);
                // Whoever leaves a pager early has seen enough.
                match written {
                    Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
                    // As a shell says that there is no such command, or that it cannot be run.
                    _ if matches!(waited?.code(), Some(126 | 127)) => Err(io::Error::other(
                        "the pager of HANDSHARK_PAGER or PAGER cannot be run, and nothing was shown; --paging=never does without",
                    )),
                    _ => Ok(()),
                }
            }
        }
    }

    /// The screen is full: a pager takes over, or what is held goes out as it is where there is none.
    fn turn(&mut self) -> io::Result<&mut dyn Write> {
        if let State::Held(held) = &mut self.state {
            let bytes = std::mem::take(&mut held.bytes);
            self.state = match started() {
                Some((into, child)) => State::Paged(BufWriter::with_capacity(BUFFER, into), child),
                None => State::Direct(BufWriter::with_capacity(BUFFER, io::stdout())),
            };
            self.write_all(&bytes)?;
        }
        Ok(self)
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Held(held) => {
                if held.take(bytes) {
                    self.turn()?;
                }
                Ok(bytes.len())
            }
            State::Direct(out) => out.write(bytes),
            State::Paged(into, _) => into.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            // It may fit the screen: that shows at the end.
            State::Held(_) => Ok(()),
            State::Direct(out) => out.flush(),
            State::Paged(into, _) => into.flush(),
        }
    }
}

impl Held {
    /// Keeps more, and says whether it is more than the screen has room for.
    fn take(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        let mut full = false;
        for byte in bytes {
            match byte {
                b'\n' => {
                    self.column = 0;
                    full |= self.rows == 0;
                    self.rows = self.rows.saturating_sub(1);
                }
                0x1b => self.escape = true,
                b'm' if self.escape => self.escape = false,
                // Of a character, the first byte counts.
                0x80..0xc0 => {}
                _ if self.escape => {}
                _ => {
                    self.column = self.column.saturating_add(1);
                    if self.column > self.columns {
                        self.column = 1;
                        full |= self.rows == 0;
                        self.rows = self.rows.saturating_sub(1);
                    }
                }
            }
        }
        full
    }
}

/// Whether a pager has the terminal: then Ctrl-C is for it.
pub fn is_shown() -> bool {
    SHOWN.load(Ordering::Relaxed)
}

/// A pager that is running: the one that the environment names, else less. None where it names none, or none is there.
fn started() -> Option<(ChildStdin, Child)> {
    let named = [env::var("HANDSHARK_PAGER"), env::var("PAGER")].into_iter().find_map(Result::ok).unwrap_or_else(|| "less".to_owned());
    let words = named.trim();
    if words.is_empty() || words == "cat" {
        return None;
    }
    // With words behind it, or anything else that is the shell's, the shell reads it, as git and man have it read.
    let plain = words.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    let mut command = if plain { Command::new(words) } else { Command::new("sh") };
    if !plain {
        command.args(["-c", words]);
    }
    // Leave at once what fits, show colours, and leave the screen as it is.
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).spawn().ok()?;
    let into = child.stdin.take()?;
    SHOWN.store(true, Ordering::Relaxed);
    Some((into, child))
}

static SHOWN: AtomicBool = AtomicBool::new(false);

const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(columns: usize, rows: usize, text: &str) -> bool {
        let mut held = Held { bytes: Vec::new(), columns, rows, column: 0, escape: false };
        let full = text.as_bytes().chunks(3).map(|piece| held.take(piece)).fold(false, |any, full| any | full);
        assert_eq!(held.bytes, text.as_bytes());
        !full
    }

    #[test]
    fn a_screen_is_full_by_its_rows() {
        assert!(fits(80, 3, "one\ntwo\nthree\n") && !fits(80, 3, "one\ntwo\nthree\nfour\n"));
        assert!(!fits(80, 0, "\n"), "where a pager is wanted in any case");
    }

    #[test]
    fn long_lines_take_several_rows_and_colours_none() {
        assert!(fits(10, 2, &format!("{}\n", "a".repeat(20))) && !fits(10, 2, &format!("{}\n", "a".repeat(21) + "\nb")));
        assert!(fits(10, 1, "\x1b[1;31maaaaaaaaaa\x1b[0m\n") && fits(10, 1, "äöüäöüäöüä\n"));
    }
}
