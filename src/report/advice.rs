//! A line of advice as outputs show it: they need not guess whether it is a sentence or a command.

use serde::{Deserialize, Serialize};

use crate::diagnosis::remedy;

/// A line of advice. In JSON it is its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Advice {
    /// A sentence. What is read back from JSON is always one.
    Text(String),
    /// A command to type, without a prompt.
    Command(String),
}

impl Advice {
    /// The sentence, or the command without a prompt.
    pub fn line(&self) -> &str {
        match self {
            Self::Text(line) | Self::Command(line) => line,
        }
    }

    /// The same, to be changed.
    pub const fn line_mut(&mut self) -> &mut String {
        match self {
            Self::Text(line) | Self::Command(line) => line,
        }
    }
}

impl From<&remedy::Advice> for Advice {
    fn from(advice: &remedy::Advice) -> Self {
        let line = advice.line().into_owned();
        match advice {
            remedy::Advice::Text(_) => Self::Text(line),
            remedy::Advice::Command(_) => Self::Command(line),
        }
    }
}

impl From<String> for Advice {
    fn from(line: String) -> Self {
        Self::Text(line)
    }
}

impl From<Advice> for String {
    fn from(advice: Advice) -> Self {
        match advice {
            Advice::Text(line) | Advice::Command(line) => line,
        }
    }
}
