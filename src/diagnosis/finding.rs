//! What a rule may say: a cause, how sure that is, and what proves it.

use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::time::Mark;

use super::cause::Cause;
use super::remedy::{Advice, IntoAdvice};

/// How sure a finding is. The order is from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Report only beside something else.
    Hint,
    /// Probable; other readings are open.
    Likely,
    /// Other readings are rare.
    Strong,
    /// The protocol leaves no other reading.
    Certain,
}

impl Confidence {
    /// Every degree, from least to most.
    pub const ALL: [Self; 4] = [Self::Hint, Self::Likely, Self::Strong, Self::Certain];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Likely => "likely",
            Self::Strong => "strong",
            Self::Certain => "certain",
        }
    }

    /// One step less sure, never below [`Confidence::Hint`].
    #[must_use]
    pub const fn lowered(self) -> Self {
        match self {
            Self::Certain => Self::Strong,
            Self::Strong => Self::Likely,
            Self::Likely | Self::Hint => Self::Hint,
        }
    }
}

/// What a finding is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Worth knowing; never the cause of anything.
    Note,
    /// True of this handshake, and the cause only if nothing else explains it: `handshake-failure`, `server-closed`, `client-aborted`, `server-silent`.
    Fallback,
    /// Explains how this handshake ended.
    Explains,
    /// Explains it and overrides whatever else is true: the capture cannot support another verdict, TCP never came up, a packet was forged.
    Overrides,
    /// Nobody wanted this handshake: whatever else is true of it, nothing failed.
    Unwanted,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// What it is for.
    pub weight: Weight,
    /// How sure.
    pub confidence: Confidence,
    /// Who ended the handshake, when the rule knows better than [`Handshake::stopped_by`](crate::handshake::Handshake::stopped_by) (an injected RST is the network's).
    pub stopped_by: Option<StoppedBy>,
    /// What happened, for headlines, where it is not as the cause's page has it: lower case, no full stop.
    pub headline: Option<&'static str>,
    /// It ended, and nothing failed: how it would have gone nobody can say.
    pub undecided: bool,
    /// One sentence with the names and numbers of this very handshake. Strings from the wire are escaped by the outputs, not here.
    pub summary: String,
    /// What proves it, in order.
    pub evidence: Vec<Evidence>,
    /// What speaks against it, as far as that leaves it standing. The judge fills it in.
    pub against: Vec<Evidence>,
    /// The packet on which it rests, where what may speak against it is about a packet.
    pub suspect: Option<Suspect>,
    /// Causes that the packets do not exclude, likeliest first.
    pub alternatives: Vec<Cause>,
    /// What to do, commands to type among it.
    pub remedy: Vec<Advice>,
}

/// The packet on which a finding rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// Whose it is, or in whose name it came.
    pub side: Side,
    /// Where it was first seen.
    pub mark: Mark,
    /// Its payload in bytes.
    pub payload: u32,
    /// Its hop counter, where the finding rests on that.
    pub ttl: Option<u8>,
}

impl Suspect {
    /// A packet with so many bytes of payload.
    pub const fn packet(side: Side, mark: Mark, payload: u32) -> Self {
        Self { side, mark, payload, ttl: None }
    }
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The frame, or `None` for something that is missing.
    pub mark: Option<Mark>,
    /// One clause: `client sent alert unknown_ca (48)`. Empty for a note of which only the frame is told.
    pub text: String,
}

impl Finding {
    /// A finding that explains, with nothing proved yet.
    pub fn new(cause: Cause, confidence: Confidence, summary: impl Into<String>) -> Self {
        Self {
            cause,
            weight: Weight::Explains,
            confidence,
            stopped_by: None,
            headline: None,
            undecided: false,
            summary: summary.into(),
            evidence: Vec::new(),
            against: Vec::new(),
            suspect: None,
            alternatives: Vec::new(),
            remedy: Vec::new(),
        }
    }

    /// Sets what it is for.
    #[must_use]
    pub fn weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// Sets who ended it.
    #[must_use]
    pub fn stopped_by(mut self, who: StoppedBy) -> Self {
        self.stopped_by = Some(who);
        self
    }

    /// Says in a headline what the cause's page says otherwise.
    #[must_use]
    pub const fn headline(mut self, text: &'static str) -> Self {
        self.headline = Some(text);
        self
    }

    /// Says that nothing failed, and that nobody can say how it would have gone.
    #[must_use]
    pub const fn undecided(mut self) -> Self {
        self.undecided = true;
        self
    }

    /// Names the packet on which it rests.
    #[must_use]
    pub fn resting_on(mut self, suspect: Suspect) -> Self {
        self.suspect = Some(suspect);
        self
    }

    /// Adds evidence at a frame.
    #[must_use]
    pub fn shown_by(mut self, mark: Mark, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence { mark: Some(mark), text: text.into() });
        self
    }

    /// Adds evidence that is an absence or a sum.
    #[must_use]
    pub fn noting(mut self, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence { mark: None, text: text.into() });
        self
    }

    /// Adds causes that are not excluded.
    #[must_use]
    pub fn or_else(mut self, causes: &[Cause]) -> Self {
        self.alternatives.extend_from_slice(causes);
        self
    }

    /// Adds a sentence of advice, or a command of [`super::remedy`]. Where no command fits, a sentence that led up to it ends there.
    #[must_use]
    pub fn advise(mut self, line: impl IntoAdvice) -> Self {
        match line.into_advice() {
            Some(advice) => self.remedy.push(advice),
            None => {
                if let Some(Advice::Text(text)) = self.remedy.last_mut()
                    && text.ends_with(':')
                {
                    text.to_mut().pop();
                    text.to_mut().push('.');
                }
            }
        }
        self
    }
}
