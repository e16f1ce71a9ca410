//! What is looked for: words, and a condition in the language of `--where`.

use crate::find::Expression;
use crate::output::escape::is_hazard;
use crate::output::view;
use crate::report::{Handshake, Incident};

/// What is looked for. Empty, it takes everything.
#[derive(Debug, Default, Clone)]
pub(super) struct Filter {
    /// Each of these words must be somewhere; with `!` before it, nowhere.
    pub(super) words: String,
    /// As it was typed.
    condition: String,
    expression: Option<Expression>,
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.words.trim().is_empty() && self.expression.is_none()
    }

    /// The condition, as it was typed.
    pub(super) fn condition(&self) -> &str {
        &self.condition
    }

    /// Sets the condition; an empty one takes everything. The error says what is wrong, in one line.
    pub(super) fn set_condition(&mut self, text: &str) -> Result<(), String> {
        let expression = match text.trim() {
            "" => None,
            text => Some(Expression::new(text).map_err(|mistake| first_line(&mistake.pointed(is_hazard)))?),
        };
        text.trim().clone_into(&mut self.condition);
        self.expression = expression;
        Ok(())
    }

    pub(super) fn takes(&self, handshake: &Handshake<'_>) -> bool {
        let told = |expression: &Expression| expression.takes(handshake).unwrap_or_default();
        self.finds(|| {
            vec![
                handshake.client.to_string(),
                view::server(handshake),
                view::cause(handshake).to_owned(),
                view::ending(handshake),
                handshake.handshake.id.as_str().to_owned(),
            ]
        }) && self.expression.as_ref().is_none_or(told)
    }

    /// Words look through incidents, too; a condition speaks of handshakes only.
    pub(super) fn takes_incident(&self, incident: &Incident) -> bool {
        self.finds(|| vec![incident.cause.slug().to_owned(), view::place(incident), incident.summary.clone()])
    }

    /// Whether the words are in one of these texts, whatever their case.
    pub(super) fn finds(&self, texts: impl FnOnce() -> Vec<String>) -> bool {
        if self.words.trim().is_empty() {
            return true;
        }
        let texts: Vec<String> = texts().iter().map(|text| text.to_lowercase()).collect();
        self.words.to_lowercase().split_whitespace().all(|word| {
            let (word, wanted) = word.strip_prefix('!').filter(|word| !word.is_empty()).map_or((word, true), |word| (word, false));
            texts.iter().any(|text| text.contains(word)) == wanted
        })
    }

    /// What is looked for, in a few words.
    pub(super) fn told(&self) -> String {
        let words = (!self.words.trim().is_empty()).then(|| format!("/{}", self.words.trim()));
        let condition = self.expression.is_some().then(|| format!("where {}", self.condition));
        words.into_iter().chain(condition).collect::<Vec<_>>().join(", ")
    }
}

/// What is wrong and in which column; the lines below it point there.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn words_must_all_be_there_and_some_must_not() {
        let words = |words: &str| Filter { words: words.to_owned(), ..Filter::default() };
        let one = samples::named("beta.test");
        for (text, taken) in
            [("", true), ("BETA expired", true), ("beta !expired", false), ("!alpha", true), ("!", false), ("alpha", false)]
        {
            assert_eq!(words(text).takes(&one), taken, "{text}");
        }
    }

    #[cfg(feature = "where")]
    #[test]
    fn a_condition_is_checked_when_it_is_set() {
        let mut filter = Filter::default();
        filter.set_condition("handshake.outcome == 'completed'").unwrap();
        assert!(filter.takes(&samples::completed()) && !filter.takes(&samples::expired(0)));
        let mistake = filter.set_condition("handshake.outcom == 'completed'").unwrap_err();
        assert!(mistake.contains("outcome"), "{mistake}");
        assert_eq!(filter.told(), "where handshake.outcome == 'completed'", "the last that was right stays");
        filter.set_condition(" ").unwrap();
        assert!(filter.is_empty());
    }
}
