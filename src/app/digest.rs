//! The SHA-256 of what was read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::is_dash;
use crate::report::Summary;

/// Adds the hash of each file. What cannot be read a second time stays without.
pub(super) fn inputs(summary: &mut Summary) {
    for input in &mut summary.inputs {
        let path = Path::new(&input.source);
        if !is_dash(path) && path.is_file() {
            input.sha256 = of(path).ok();
        }
    }
}

fn of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; 1 << 20];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(data_encoding::HEXLOWER.encode(&hash.finalize()));
        }
        hash.update(block.get(..count).unwrap_or_default());
    }
}
