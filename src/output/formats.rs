//! The ways in which `read --format` presents a result: each output is a line here.

use super::format::Format;
use super::{csv, markdown, ndjson, text};

/// What there is to choose from, the first where nothing is chosen.
pub const FORMATS: [&Format; 4] = [&text::FORMAT, &ndjson::FORMAT, &markdown::FORMAT, &csv::FORMAT];
