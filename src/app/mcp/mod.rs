//! `handshark mcp`: the captures below a directory as tools for an agent, by the Model Context Protocol.
//!
//! The server keeps the protocol and reads no capture: every call is the program itself in a process of its own ([`child`]), which is confined to
//! the directory ([`confined`]). [`tools`] says what there is, [`asked`] makes command lines of calls, [`answer`] bounds what comes back.

mod answer;
mod asked;
mod child;
mod confined;
mod terms;
mod tools;

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer, ServerInitializeError};
use rmcp::{ErrorData, ServerHandler, serve_server};
use tokio::sync::Semaphore;

use self::answer::{Answer, clipped, marked};
use self::asked::{Asked, asked};
use self::terms::told;
use self::tools::{INSTRUCTIONS, Offered, TOOLS};
use crate::cli::{self, McpOptions};
use crate::limits;
use crate::output::say::say;

/// Serves an agent until it closes standard input; or runs one of its calls.
pub(super) fn mcp(options: &McpOptions) -> anyhow::Result<u8> {
    let options = absolute(options)?;
    if !options.call.is_empty() {
        return confined::call(&options);
    }
    // What every call would fail at, it fails at once.
    super::job::trust(&options.trust)?;
    if io::stdin().is_terminal() {
        say(
            "this speaks the Model Context Protocol on standard input and output: an agent's program starts it (docs/MCP.md); Ctrl-D ends it",
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = match serve_server(Server::new(options), (tokio::io::stdin(), tokio::io::stdout())).await {
            Ok(server) => server,
            // Whoever started it has gone away.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(anyhow::Error::msg(error.to_string()).context("no client of the Model Context Protocol")),
        };
        server.waiting().await?;
        Ok(())
    })?;
    Ok(cli::EXIT_DONE)
}

/// The options with paths that mean the same wherever a process is.
fn absolute(options: &McpOptions) -> anyhow::Result<McpOptions> {
    let mut options = options.clone();
    let directory = &options.directory;
    options.directory = fs::canonicalize(directory).with_context(|| format!("cannot open {}", directory.display()))?;
    for path in options.trust.files.iter_mut().chain(&mut options.trust.directories) {
        *path = path::absolute(&path)?;
    }
    Ok(options)
}

/// What an agent talks to.
struct Server {
    options: McpOptions,
    /// Words of every command that judges certificates.
    trust: Vec<OsString>,
    /// One call runs at a time.
    turn: Semaphore,
    /// Calls that run or wait.
    calls: AtomicUsize,
}

impl Server {
    fn new(options: McpOptions) -> Self {
        Self { trust: child::trust_words(&options), options, turn: Semaphore::new(1), calls: AtomicUsize::new(0) }
    }

    /// Does what was asked, when it is its turn.
    async fn answer(&self, tool: &Offered, asked: Asked, context: &RequestContext<RoleServer>) -> Result<String, String> {
        let counted = Counted::new(&self.calls);
        if counted.others > limits::AGENT_WAITING {
            return Err(format!("{} calls wait already, and one runs at a time: wait for their answers", limits::AGENT_WAITING));
        }
        let cancelled = || "cancelled".to_owned();
        let turn = tokio::select! {
            turn = self.turn.acquire() => turn,
            () = context.ct.cancelled() => return Err(cancelled()),
        };
        let Ok(_turn) = turn else { return Err("the server ends".to_owned()) };
        let Asked { words, form, from } = asked;
        let mut answer = Answer::new(form, from, self.options.answer);
        let run = child::run(&self.options, &words, context.ct.cancelled(), |line| answer.line(line));
        let ended = run.await.map_err(|error| format!("handshark cannot be run: {error}"))?;
        if ended.cancelled {
            return Err(cancelled());
        }
        let seconds = self.options.time.as_secs();
        if ended.late {
            if answer.is_empty() {
                return Err(format!(
                    "{} was not done within {seconds} s. Name fewer or smaller files; or begin the server with a longer --time",
                    tool.name
                ));
            }
            let note =
                "the answer holds only what had been read by then. Name fewer or smaller files; or begin the server with a longer --time";
            answer.note(format!("Time was over after {seconds} s: {note}."));
        } else if !ended.is_done() {
            let said = told(&ended.said);
            let hint = if said.contains("cannot open") { "; `list` names the files that there are" } else { "" };
            return Err(if said.is_empty() { ended.why() } else { format!("{said}{hint}") });
        } else {
            // What it says beside its output, such as lines that could not be read.
            ended.said.lines().for_each(|line| answer.note(told(line)));
        }
        answer.finish()
    }
}

/// A call, while it runs or waits.
struct Counted<'a> {
    calls: &'a AtomicUsize,
    /// Calls that came before it.
    others: usize,
}

impl<'a> Counted<'a> {
    fn new(calls: &'a AtomicUsize) -> Self {
        Self { calls, others: calls.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let own = Implementation::new("handshark", env!("CARGO_PKG_VERSION")).with_title("handshark: why TLS handshakes failed");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(own).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(Offered::described).collect()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = Offered::named(&request.name) else {
            let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            let why = format!("there is no tool {:?}; there are {}", clipped(&request.name), names.join(", "));
            return Err(ErrorData::invalid_params(why, None));
        };
        let done = match asked(tool, request.arguments.unwrap_or_default(), &self.trust) {
            Ok(asked) => self.answer(tool, asked, &context).await,
            Err(why) => Err(why),
        };
        Ok(match done {
            Ok(answer) => CallToolResult::success(vec![ContentBlock::text(marked(&answer))]),
            // Names of files and of what is in captures are in it, too.
            Err(why) => CallToolResult::error(vec![ContentBlock::text(marked(&why))]),
        }
        .into())
    }
}
