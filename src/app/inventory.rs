//! `handshark inventory`: who offers, chooses and completes what.

use std::io::Write;

use super::sightings::{self, Gathered};
use crate::cli::{InventoryOptions, Stocked};
use crate::inventory::Inventory;
use crate::output;
use crate::output::pager::{Pager, Paging};

/// Reads captures and rows, and tells what is in use.
pub(super) fn inventory(options: &InventoryOptions) -> anyhow::Result<()> {
    let mut inventory = Inventory::default();
    let gathered = sightings::gather(&options.inputs, &options.query, options.progress, &mut |seen| inventory.add(seen))?;
    let Gathered { inputs, repeated, unreadable } = gathered;
    inventory.rows_left_out(repeated, unreadable);
    let stock = inventory.stock(inputs);
    let is_text = matches!(options.stocked, Stocked::Text { .. });
    let mut out = Pager::new(if is_text { options.screen.paging } else { Paging::Never });
    let written = match options.stocked {
        Stocked::Text { all } => output::inventory::write(&mut out, &options.screen.layout(&options.query.zone), &stock, all),
        Stocked::Json => output::json::line(&mut out, &stock),
        Stocked::Csv(table) => output::inventory::write_table(&mut out, &stock, table),
    };
    let written = written.and_then(|()| out.flush());
    out.close().and(written).map_err(Into::into)
}
