//! Values of options: parsed once, wrong ones answered with what would be right.

use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error, error::ErrorKind};

use crate::diagnosis::cause::Cause;
use crate::output::explain;
use crate::output::suggest::{did_you_mean, near};

/// Part of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailOnItem {
    /// Any failed handshake.
    Failed,
    /// A cause.
    Cause(Cause),
}

/// Reads `500ms`, `10s`, `2m`, `1h`.
pub(super) fn stall_after(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let wrong = || format!("{text:?} is not a duration; write a number with its unit, such as 500ms, 10s or 2m");
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "" => return Err(format!("{text:?} lacks a unit; write {number}s for seconds or {number}ms for milliseconds")),
        _ => return Err(wrong()),
    };
    let duration = Duration::from_millis(number.checked_mul(scale).ok_or_else(wrong)?);
    if (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(&duration) {
        Ok(duration)
    } else {
        Err("it must be between 1ms and 24h".to_owned())
    }
}

/// Reads a cause, for completion as well.
pub(super) fn cause_parser() -> Slugs<Cause> {
    Slugs { extra: None, parse: explain::find }
}

/// Reads a part of `--fail-on`.
pub(super) fn fail_on_parser() -> Slugs<FailOnItem> {
    Slugs { extra: Some(FAILED), parse: fail_on_item }
}

fn fail_on_item(text: &str) -> Result<FailOnItem, String> {
    let text = text.trim();
    if text == FAILED {
        return Ok(FailOnItem::Failed);
    }
    explain::find(text).map(FailOnItem::Cause).map_err(|_| {
        let candidates = Cause::ALL.iter().map(|cause| cause.slug()).chain([FAILED]);
        format!("{text:?} is neither `failed` nor a cause{} (`handshark explain` lists all causes)", did_you_mean(&near(text, candidates)))
    })
}

/// A parser over the catalogue's slugs whose values completion scripts know and whose errors suggest.
#[derive(Debug, Clone)]
pub(super) struct Slugs<T> {
    extra: Option<&'static str>,
    parse: fn(&str) -> Result<T, String>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Slugs<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &std::ffi::OsStr) -> Result<T, Error> {
        let text = value.to_string_lossy();
        (self.parse)(&text).map_err(|why| {
            let option = argument.map(ToString::to_string).unwrap_or_default();
            Error::raw(ErrorKind::ValueValidation, format!("invalid value for '{option}': {why}\n")).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.extra.into_iter().chain(Cause::ALL.iter().map(|cause| cause.slug())).map(PossibleValue::new)))
    }
}

const FAILED: &str = "failed";
