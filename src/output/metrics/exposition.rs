//! The forms in which metrics are exposed.

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Exposition {
    /// What the answer calls it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// What is written as `OpenMetrics`, in this form.
    pub fn of(self, open_metrics: &str) -> String {
        match self {
            Self::OpenMetrics => open_metrics.to_owned(),
            Self::Text => plain(open_metrics),
        }
    }
}

/// The text format knows no units, no end mark and no type `info`; and a counter's and an info's name are those of their samples.
fn plain(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (ending, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                out.extend(["# HELP ", name, ending, " ", help.trim_end_matches('.'), "\n"]);
            }
            out.extend(["# TYPE ", name, ending, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            out.extend([line, "\n"]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_those_of_the_text_format() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"y\"} 3\n# HELP v Version.\n# TYPE v info\nv_info{version=\"1\"} 1\n\
                    # HELP s Times.\n# TYPE s histogram\n# UNIT s seconds\ns_sum 0.5\n# EOF\n";
        let text = "# HELP a_b_total Things\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 3\n# HELP v_info Version\n# TYPE v_info gauge\n\
                    v_info{version=\"1\"} 1\n# HELP s Times\n# TYPE s histogram\ns_sum 0.5\n";
        assert_eq!(Exposition::Text.of(open), text);
        assert_eq!(Exposition::OpenMetrics.of(open), open);
    }
}
