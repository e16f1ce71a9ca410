//! The inventory: for a person at a terminal, and as tables for a spreadsheet.

mod csv;
mod text;
pub(in crate::output) mod words;

pub use csv::{Table, write as write_table};
pub use text::write;
