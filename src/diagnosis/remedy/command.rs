//! A command as a value: a program with words that the source code fixes, options with their values, operands, and what it is piped into.

use std::fmt;

use super::parts::{Operand, Value, quote};

/// A command to type into a POSIX shell. It is made of parts that know what they may hold (see [`super::parts`]) and can be made in no other way,
/// so nothing that came from the wire becomes an option, an operator of the shell, or another program. [`fmt::Display`] writes the line to type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Command {
    words: Vec<Word>,
    operands: Vec<Operand>,
    ends: Ends,
    next: Option<Box<Self>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Fixed(&'static str),
    /// A whole line as it was told.
    Told(String),
    Value(Value),
}

/// Where its input and its errors go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Ends {
    no_input: bool,
    no_errors: bool,
}

impl Command {
    /// A command that another run of this program made and wrote into a row. Who writes the rows answers for it; a line that could act on a terminal,
    /// or be more than one, is none.
    pub fn told(line: &str) -> Option<Self> {
        let fits = !line.is_empty() && line.len() <= LONGEST_TOLD && line.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        fits.then(|| Self { words: vec![Word::Told(line.to_owned())], operands: Vec::new(), ends: Ends::default(), next: None })
    }

    /// A program and fixed words behind it, split at spaces: `openssl s_client`.
    pub fn new(words: &'static str) -> Self {
        Self { words: Vec::new(), operands: Vec::new(), ends: Ends::default(), next: None }.with(words)
    }

    /// More fixed words, split at spaces: options, and values that hold no space.
    pub fn with(mut self, words: &'static str) -> Self {
        self.words.extend(words.split_ascii_whitespace().map(Word::Fixed));
        self
    }

    /// An option and its value.
    pub fn option(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.words.push(Word::Fixed(name));
        self.words.push(Word::Value(value.into()));
        self
    }

    /// An operand; it stands behind all options.
    pub fn operand(mut self, operand: impl Into<Operand>) -> Self {
        self.operands.push(operand.into());
        self
    }

    /// Whether all that it asks is there to be asked: a station of the link layer is not.
    pub fn reaches(&self) -> bool {
        self.operands.iter().all(|operand| !operand.text().is_empty())
    }

    /// With nothing to read: a program that waits for input ends.
    pub const fn without_input(mut self) -> Self {
        self.ends.no_input = true;
        self
    }

    /// Without its messages, where only the answer matters.
    pub const fn without_errors(mut self) -> Self {
        self.ends.no_errors = true;
        self
    }

    /// The same command with other values and operands: what tells who is who is left out.
    pub fn with_values(&self, other: &dyn Fn(&str) -> String) -> Self {
        let word = |word: &Word| match word {
            Word::Fixed(text) => Word::Fixed(text),
            Word::Told(line) => Word::Told(other(line)),
            Word::Value(value) => Word::Value(value.replaced(other)),
        };
        Self {
            words: self.words.iter().map(word).collect(),
            operands: self.operands.iter().map(|operand| operand.replaced(other)).collect(),
            ends: self.ends,
            next: self.next.as_ref().map(|next| Box::new(next.with_values(other))),
        }
    }

    /// What reads its output.
    pub fn pipe(mut self, next: Self) -> Self {
        self.next = Some(Box::new(match self.next.take() {
            Some(before) => before.pipe(next),
            None => next,
        }));
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| match word {
            Word::Fixed(text) => quote(text),
            Word::Told(line) => line.clone(),
            Word::Value(value) => quote(value.text()),
        });
        for (index, word) in words.chain(self.operands.iter().map(|operand| quote(operand.text()))).enumerate() {
            write!(f, "{}{word}", if index > 0 { " " } else { "" })?;
        }
        if self.ends.no_input {
            f.write_str(" </dev/null")?;
        }
        if self.ends.no_errors {
            f.write_str(" 2>/dev/null")?;
        }
        match &self.next {
            Some(next) => write!(f, " | {next}"),
            None => Ok(()),
        }
    }
}

/// Bytes of a command that was told.
const LONGEST_TOLD: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::remedy::parts::{Host, Name, Piece};

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_into_them() {
        let name = Name::parse("`id`$(id)'\"\\|&;<>(){}*?!#~ x").unwrap();
        let command = Command::new("printf %s").option("", name);
        assert_eq!(command.to_string(), r#"printf %s '' '`id`$(id)'\''"\|&;<>(){}*?!#~ x'"#);
        let output = std::process::Command::new("sh").arg("-c").arg(command.to_string()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "`id`$(id)'\"\\|&;<>(){}*?!#~ x");
    }

    #[test]
    fn operands_follow_options_and_pipes_follow_both() {
        let host = Host::parse("www.example.test").unwrap();
        let command = Command::new("a -x").operand(&host).option("-p", 443_u16).without_input().without_errors();
        let command = command.pipe(Command::new("b").option("-f", [Piece::Fixed("port = "), Piece::Number(1)])).pipe(Command::new("c"));
        assert_eq!(command.to_string(), "a -x -p 443 www.example.test </dev/null 2>/dev/null | b -f 'port = 1' | c");
    }

    #[test]
    fn what_is_to_be_filled_in_redirects_nothing() {
        assert_eq!(Command::new("nc -vz <host>").option("-p", "<the port>").to_string(), "nc -vz '<host>' -p '<the port>'");
    }
}
