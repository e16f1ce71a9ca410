//! A source with somebody who looks at its frames on their way.

use std::path::Path;

use super::{FrameSource, Inventory, KeyLogLines, Losses};
use crate::error::Result;
use crate::frame::Block;
use crate::origins::Origins;
use crate::time::Timestamp;

/// The same source; `look` sees each block once it is filled, empty ones too.
pub fn looked_at(source: Box<dyn FrameSource>, look: impl FnMut(&Block) + Send + 'static) -> Box<dyn FrameSource> {
    Box::new(Looked { source, look })
}

struct Looked<F> {
    source: Box<dyn FrameSource>,
    look: F,
}

impl<F: FnMut(&Block) + Send> FrameSource for Looked<F> {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        let more = self.source.fill(block)?;
        (self.look)(block);
        Ok(more)
    }

    fn inventory(&self) -> &Inventory {
        self.source.inventory()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.source.progress()
    }

    fn losses(&self) -> Option<&Losses> {
        self.source.losses()
    }

    fn origins(&self) -> Option<&Origins> {
        self.source.origins()
    }

    fn files(&self) -> Vec<(&Path, Option<Timestamp>)> {
        self.source.files()
    }

    fn key_log(&self) -> Option<&KeyLogLines> {
        self.source.key_log()
    }
}
