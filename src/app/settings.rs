//! Where defaults come from: the configuration file and the environment.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::cli::{self, Setting};

/// What is set, the file's first: `$HANDSHARK_CONFIG`, or `handshark/config` where the user's configuration is kept, and variables of the
/// environment.
pub(super) fn gather() -> anyhow::Result<Vec<Setting>> {
    let mut all = of_file()?;
    let variables = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    all.extend(cli::of_environment(variables));
    Ok(all)
}

fn of_file() -> anyhow::Result<Vec<Setting>> {
    let named = env::var_os(cli::CONFIG).map(PathBuf::from);
    let Some(path) = named.clone().or_else(usual).filter(|path| !path.as_os_str().is_empty()) else { return Ok(Vec::new()) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        // What the user did not name need not be there, nor be for this user, as after sudo.
        Err(error) if named.is_none() && is_absence(error.kind()) => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read the configuration file {}", path.display())),
    };
    match cli::settings(&path.display().to_string(), &text) {
        Ok(settings) => Ok(settings),
        Err(why) => bail!(why),
    }
}

const fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied)
}

/// Where it is kept when no variable says so.
fn usual() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // A relative path is none, as the XDG specification has it.
    let base = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join("handshark/config"))
}
