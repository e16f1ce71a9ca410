//! Values of options: parsed once, wrong ones answered with what would be right.

use std::sync::Arc;
use std::time::Duration;

use clap::builder::{PathBufValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, Error, error::ErrorKind};

use crate::diagnosis::cause::Cause;
use crate::find::When;
use crate::output::explain;
use crate::output::format::Format;
use crate::output::formats::FORMATS;
use crate::output::suggest::{did_you_mean, near};
use crate::output::text;
use crate::report::Class;
use crate::site::Site;
use crate::time::Timestamp;

/// Part of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailOnItem {
    /// A handshake that counts as this.
    Class(Class),
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

/// Reads a moment that does not depend on what is read.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    match text.parse()? {
        When::AfterBegin(_) | When::OfFirstDay(..) => {
            Err(format!("{text:?} would be another moment with other captures; write the date as well: 2026-11-29T09:00:00Z"))
        }
        when @ (When::At(_) | When::Civil(..)) => Ok(when.resolve(Timestamp::MIN)),
    }
}

/// Reads the name of a site.
pub(super) fn site(text: &str) -> Result<Site, String> {
    let name = label(text, "site")?;
    Site::named(name).ok_or_else(|| "more than 65,534 sites were named".to_owned())
}

/// Reads the name of a sensor.
pub(super) fn sensor(text: &str) -> Result<Arc<str>, String> {
    label(text, "sensor").map(Arc::from)
}

/// A name that can be a directory's, too.
fn label<'a>(text: &'a str, what: &str) -> Result<&'a str, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err(format!("a {what} has a name, such as berlin or core-1"));
    }
    if let Some(odd) = name.chars().find(|odd| odd.is_control() || matches!(odd, '/' | '=')) {
        return Err(format!("{odd:?} cannot be in the name of a {what}, which may become the name of a directory"));
    }
    Ok(name)
}

/// A directory that is there.
pub(super) fn directory() -> impl TypedValueParser<Value = std::path::PathBuf> {
    PathBufValueParser::new().try_map(|path| match (path.is_dir(), path.exists()) {
        (true, _) => Ok(path),
        (false, true) => Err(format!("{} is a file; name the directory that it is in", path.display())),
        (false, false) => Err(format!("there is no directory {}", path.display())),
    })
}

/// Reads `127.0.0.1:9477`, `[::1]:9477`, or a port alone, which is the loopback's. An IPv4 address may stand in brackets, too: who fills in an
/// address, in a manifest, need not know of which kind it is.
pub(super) fn metrics_address(text: &str) -> Result<std::net::SocketAddr, String> {
    let port = text.trim_start_matches(':');
    if let Ok(port) = port.parse() {
        return Ok(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).filter(|(address, _)| !address.contains(':'));
    let plain = bracketed.map(|(address, port)| format!("{address}{port}"));
    plain
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| format!("{text:?} is not an address with a port, such as 127.0.0.1:9477 or [::1]:9477"))
}

/// Reads `90s`, `10m`, `24h`, `7d`: from a second to a hundred years.
pub(super) fn long_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text);
    let scale = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(format!("{text:?} is not a duration; write a number with its unit, such as 90s, 10m, 24h or 7d")),
    };
    let seconds = number.and_then(|number| number.checked_mul(scale)).filter(|seconds| (1..=100 * 366 * 86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{text:?} is not a duration between a second and a hundred years"))
}

/// Reads `1500000`, `64MiB`, `1G`: decimal without `i`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text);
    let scale = match unit {
        "" | "B" => 1,
        "k" | "K" | "kB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(format!("{text:?} is not a size; write a number of bytes, or one with a unit such as 64MiB or 1GB")),
    };
    number.and_then(|number| number.checked_mul(scale)).filter(|size| *size > 0).ok_or_else(|| format!("{text:?} is not a size above zero"))
}

/// A Parquet file to write, in a build that can.
pub(super) fn parquet_file() -> impl TypedValueParser<Value = std::path::PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if cfg!(feature = "parquet") {
            Ok(path)
        } else {
            Err("this build writes no Parquet; build one that does with `cargo build --release --features parquet`, or take --csv")
        }
    })
}

/// A size that libpcap takes for a ring.
pub(super) fn ring_size(text: &str) -> Result<u64, String> {
    let size = size(text)?;
    if (2 << 20..=2 << 30).contains(&size) { Ok(size) } else { Err("it must be between 2MiB and 2GiB".to_owned()) }
}

fn number_and_unit(text: &str) -> (Option<u64>, &str) {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    (digits.trim().parse().ok(), text.strip_prefix(digits).unwrap_or_default())
}

/// Which of [`FORMATS`].
pub(super) fn format_parser() -> impl TypedValueParser<Value = &'static Format> {
    let words = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about));
    let named = |name: String| FORMATS.into_iter().find(|format| format.name == name).unwrap_or(&text::FORMAT);
    PossibleValuesParser::new(words).map(named)
}

/// Reads a cause, for completion as well.
pub(super) fn cause_parser() -> Slugs<Cause> {
    Slugs { extra: &[], parse: explain::find }
}

/// Reads what is to be explained, which completion takes for a cause.
pub(super) fn topic_parser() -> Slugs<String> {
    Slugs { extra: &[], parse: |text| Ok(text.to_owned()) }
}

/// Reads a part of `--fail-on`.
pub(super) fn fail_on_parser() -> Slugs<FailOnItem> {
    Slugs { extra: &Class::ALL, parse: fail_on_item }
}

fn fail_on_item(text: &str) -> Result<FailOnItem, String> {
    let text = text.trim();
    if let Some(class) = Class::ALL.into_iter().find(|class| class.name() == text) {
        return Ok(FailOnItem::Class(class));
    }
    explain::find(text).map(FailOnItem::Cause).map_err(|_| {
        let candidates = Cause::ALL.iter().map(|cause| cause.slug()).chain(Class::ALL.map(Class::name));
        format!(
            "{text:?} is neither a class such as `failed` nor a cause{} (`handshark explain` lists all causes)",
            did_you_mean(&near(text, candidates))
        )
    })
}

/// A parser over the catalogue's slugs whose values completion scripts know and whose errors suggest.
#[derive(Debug, Clone)]
pub(super) struct Slugs<T> {
    extra: &'static [Class],
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
        Some(Box::new(
            self.extra.iter().map(|class| class.name()).chain(Cause::ALL.iter().map(|cause| cause.slug())).map(PossibleValue::new),
        ))
    }
}
