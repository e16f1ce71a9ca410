//! Charts as SVG in the page: drawn here, coloured by the style sheet.

use maud::{Markup, PreEscaped, html};

use super::parts::{CLASSES, css, number};
use super::rows::Point;
use super::tally::percentile;
use crate::output::escape::{clip, escape};
use crate::output::figures::{count, counted, millis, span_us};
use crate::output::view;
use crate::report::{Class, Incident};
use crate::time::{Timestamp, Zone};

/// A stretch of time.
#[derive(Debug, Default, Clone)]
struct Bucket {
    /// By their place in [`CLASSES`].
    classes: [u64; CLASSES.len()],
    took: Vec<u64>,
}

impl Bucket {
    fn all(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// The classes that there are, with their numbers.
    fn parts(&self) -> impl Iterator<Item = (Class, u64)> {
        CLASSES.into_iter().zip(self.classes).filter(|(_, number)| *number > 0)
    }
}

/// The span of the charts, in milliseconds since the epoch; the same for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    begin: i64,
    end: i64,
}

impl Span {
    /// From the first to the last moment; `None` without any.
    pub(super) fn of(moments: impl Iterator<Item = i64>) -> Option<Self> {
        moments.fold(None, |span: Option<Self>, at| {
            Some(span.map_or(Self { begin: at, end: at }, |span| Self { begin: span.begin.min(at), end: span.end.max(at) }))
        })
    }

    fn length(self) -> i64 {
        self.end.saturating_sub(self.begin).max(1)
    }

    /// Where a moment lies, in thousandths.
    fn thousandths(self, at: i64) -> u64 {
        let gone = i128::from(at.saturating_sub(self.begin).clamp(0, self.length()));
        u64::try_from(gone * 1000 / i128::from(self.length())).unwrap_or_default()
    }

    fn zone_name(self, zone: &Zone) -> String {
        let [first, last] = [self.begin, self.end].map(|at| Timestamp::from_nanos(at.saturating_mul(1_000_000)));
        zone.names(first, last)
    }

    fn label(self, thousandths: i64, zone: &Zone) -> String {
        let at = i128::from(self.begin) + i128::from(self.length()) * i128::from(thousandths) / 1000;
        let at = Timestamp::from_nanos(i64::try_from(at).unwrap_or_default().saturating_mul(1_000_000));
        let part = |from: usize, to: usize| zone.civil(at).chars().take(to).skip(from).collect::<String>();
        match self.length() {
            DAYS.. => part(0, 10),
            HOURS.. => part(5, 16),
            SECONDS.. => part(11, 19),
            _ => part(11, 23),
        }
    }
}

fn buckets(points: impl Iterator<Item = Point>, span: Span) -> Vec<Bucket> {
    let mut list = vec![Bucket::default(); BUCKETS];
    for point in points {
        let place = usize::try_from(span.thousandths(point.start)).unwrap_or_default() * BUCKETS / 1000;
        let Some(bucket) = list.get_mut(place.min(BUCKETS - 1)) else { continue };
        if let Some(number) = bucket.classes.get_mut(usize::from(number(point.class))) {
            *number = number.saturating_add(1);
        }
        bucket.took.extend(point.took);
    }
    list
}

/// Handshakes over time by their result. A stretch can be drawn on it, which filters the explorer.
pub(super) fn results(points: impl Iterator<Item = Point>, span: Span, zone: &Zone) -> Markup {
    let list = buckets(points, span);
    let most = list.iter().map(Bucket::all).max().unwrap_or_default().max(1);
    let mut sums = Bucket::default();
    for bucket in &list {
        sums.classes.iter_mut().zip(bucket.classes).for_each(|(sum, number)| *sum += number);
    }
    let told = |bucket: &Bucket| bucket.parts().map(|(class, number)| view::class_counted(class, number)).collect::<Vec<_>>().join(", ");
    let ticks = [(0, count(most)), (PLOT / 2, if most > 1 { count(most / 2) } else { String::new() }), (PLOT, "0".to_owned())];
    let width = span_us(u64::try_from(span.length()).unwrap_or_default().saturating_mul(1000) / BUCKETS as u64);
    html! {
        figure {
            figcaption #c-results {
                "Handshakes in each " (width) ": "
                @for (place, (class, number)) in sums.parts().enumerate() { @if place > 0 { ", " } span.key.(format!("k-{}", css(class))) {} " " (class.words(number)) }
                span.js-only { " (drag across the bars to see only that time)" }
            }
            div.chart tabindex="0" role="group" aria-labelledby="c-results" {
                svg.brush viewBox=(format!("0 0 {WIDTH} {}", PLOT + 40)) role="img" aria-label=(told(&sums)) data-begin=(span.begin) data-end=(span.end) data-left=(LEFT) data-spread=(SPREAD) data-top=(TOP) data-height=(PLOT) {
                    (frame(span, &ticks, zone))
                    @for (index, bucket) in (0_u64..).zip(&list).filter(|(_, bucket)| bucket.all() > 0) {
                        g {
                            title { (span.label(thousandth(index), zone)) ": " (told(bucket)) }
                            @for (class, y, height) in stack(bucket, most) {
                                rect class=(css(class)) x=(LEFT + index * COLUMN) y=(y) width=(COLUMN - 2) height=(height) {}
                            }
                        }
                    }
                }
            }
            (HINT)
        }
    }
}

/// The parts of a column from the bottom up, each tall enough to be seen: its top, and its height.
fn stack(bucket: &Bucket, most: u64) -> Vec<(Class, u64, u64)> {
    let mut y = TOP + PLOT;
    let parts = bucket.parts().map(|(class, number)| {
        let height = (number * PLOT / most).max(2).min(y);
        y -= height;
        (class, y, height)
    });
    parts.collect()
}

/// How long completed handshakes took over time; nothing where none completed.
pub(super) fn times(points: impl Iterator<Item = Point>, span: Span, zone: &Zone) -> Markup {
    let mut list = buckets(points, span);
    let values: Vec<(u64, u64, u64)> = (0_u64..)
        .zip(&mut list)
        .filter_map(|(index, bucket)| Some((index, percentile(&mut bucket.took, 50)?, percentile(&mut bucket.took, 95)?)))
        .collect();
    let slowest = values.iter().map(|(_, _, p95)| *p95).max().unwrap_or_default();
    let fastest = values.iter().map(|(_, p50, _)| *p50).min().unwrap_or_default().max(1);
    if slowest == 0 {
        return html! {};
    }
    // Powers of ten, a whole number of them: from one handshake to the next times differ by thousands.
    let (low, high) = (fastest.ilog10(), slowest.ilog10() + 1);
    let y =
        |us: u64| TOP + PLOT - (hundredths_of_log10(us).saturating_sub(u64::from(low) * 100)) * PLOT / (u64::from(high - low).max(1) * 100);
    let line = |pick: fn(&(u64, u64, u64)) -> u64| {
        values.iter().map(|value| format!("{},{}", LEFT + value.0 * COLUMN + COLUMN / 2, y(pick(value)))).collect::<Vec<_>>().join(" ")
    };
    let ticks: Vec<(u64, String)> = (low..=high).map(|power| (y(10_u64.pow(power)) - TOP, span_us(10_u64.pow(power)))).collect();
    html! {
        figure {
            figcaption #c-times { "Time to complete, from the first packet on: " span.key.k-p50 {} " median (p50), " span.key.k-p95 {} " p95" }
            div.chart tabindex="0" role="group" aria-labelledby="c-times" {
                svg viewBox=(format!("0 0 {WIDTH} {}", PLOT + 40)) role="img" aria-label=(format!("Between {} and {}", span_us(fastest), span_us(slowest))) {
                    (frame(span, &ticks, zone))
                    polyline.p95 points=(line(|value| value.2)) {}
                    polyline.p50 points=(line(|value| value.1)) {}
                    @for value in &values {
                        g {
                            title { (span.label(thousandth(value.0), zone)) ": median " (span_us(value.1)) ", p95 " (span_us(value.2)) }
                            circle.p95 cx=(LEFT + value.0 * COLUMN + COLUMN / 2) cy=(y(value.2)) r="3" {}
                            circle.p50 cx=(LEFT + value.0 * COLUMN + COLUMN / 2) cy=(y(value.1)) r="3" {}
                        }
                    }
                }
            }
            (HINT)
        }
    }
}

/// Incidents on the same span: a bar for each.
pub(super) fn incidents(list: &[Incident], span: Span, zone: &Zone) -> Markup {
    let shown = list.iter().take(INCIDENTS);
    let rows = u64::try_from(list.len().min(INCIDENTS)).unwrap_or_default();
    let height = rows * ROW;
    html! {
        figure {
            figcaption #c-incidents { "Incidents (times in " (span.zone_name(zone)) ")" }
            div.chart tabindex="0" role="group" aria-labelledby="c-incidents" {
                svg viewBox=(format!("0 0 {WIDTH} {}", height + TOP + 30)) role="group" aria-label=(counted(list.len() as u64, "incident", "incidents")) {
                    @for tick in TICKS {
                        @let x = LEFT + SPREAD * tick / 1000;
                        line.grid x1=(x) x2=(x) y1=(TOP) y2=(TOP + height) {}
                        text.tick x=(x) y=(TOP + height + 18) text-anchor=(anchor(*tick)) { (span.label(i64::try_from(*tick).unwrap_or_default(), zone)) }
                    }
                    @for (index, incident) in (0_u64..).zip(shown) {
                        @let from = span.thousandths(millis(incident.first_seen));
                        @let to = span.thousandths(millis(incident.last_seen));
                        @let x = LEFT + SPREAD * from / 1000;
                        @let y = TOP + index * ROW;
                        @let label = format!("{}. {} at {}, {} of {} handshakes", index + 1, incident.cause, view::place(incident), count(incident.failed), count(incident.attempts));
                        @let late = from > 500;
                        a href=(format!("#incident-{}", index + 1)) {
                            title { (escape(&label)) }
                            rect class=(if incident.completed == incident.failed { "troubled" } else { "failed" }) x=(x) y=(y + 20) width=((SPREAD * to.saturating_sub(from) / 1000).max(4)) height="10" rx="2" {}
                            text.label x=(if late { LEFT + SPREAD } else { x }) y=(y + 14) text-anchor=(if late { "end" } else { "start" }) { (clip(&escape(&label), LABEL)) }
                        }
                    }
                }
            }
            (HINT)
        }
    }
}

/// Axes: labels of the vertical one by their distance from the top, and of time.
fn frame(span: Span, ticks: &[(u64, String)], zone: &Zone) -> Markup {
    html! {
        @for (y, label) in ticks {
            line.grid x1=(LEFT) x2=(LEFT + SPREAD) y1=(TOP + y) y2=(TOP + y) {}
            text.tick x=(LEFT - 6) y=(TOP + y + 4) text-anchor="end" { (label) }
        }
        @for tick in TICKS {
            text.tick x=(LEFT + SPREAD * tick / 1000) y=(TOP + PLOT + 18) text-anchor=(anchor(*tick)) { (span.label(i64::try_from(*tick).unwrap_or_default(), zone)) }
        }
    }
}

/// Labels at the ends stay within the picture.
const fn anchor(thousandths: u64) -> &'static str {
    match thousandths {
        0 => "start",
        1000 => "end",
        _ => "middle",
    }
}

fn thousandth(bucket: u64) -> i64 {
    i64::try_from(bucket * 1000 / BUCKETS as u64).unwrap_or_default()
}

/// A hundred times the decimal logarithm, straight between powers of ten closely enough for a picture.
fn hundredths_of_log10(value: u64) -> u64 {
    const STEPS: [u64; 10] = [0, 0, 30, 48, 60, 70, 78, 85, 90, 95];
    let value = value.max(1);
    let power = value.ilog10();
    let unit = 10_u64.pow(power);
    let digit = usize::try_from(value / unit).unwrap_or(1).min(9);
    let low = STEPS.get(digit).copied().unwrap_or_default();
    let high = STEPS.get(digit + 1).copied().unwrap_or(100);
    u64::from(power) * 100 + low + (high - low) * (value % unit * 100 / unit) / 100
}

/// On a narrow screen, where charts go on beside it.
const HINT: PreEscaped<&str> = PreEscaped("<p class=\"hint\" aria-hidden=\"true\">Swipe sideways for the rest.</p>");
const WIDTH: u64 = 920;
/// Columns left for the labels of the vertical axis.
const LEFT: u64 = 62;
const TOP: u64 = 10;
const PLOT: u64 = 130;
const BUCKETS: usize = 60;
const COLUMN: u64 = 14;
const SPREAD: u64 = COLUMN * BUCKETS as u64;
/// Labels of time, in thousandths.
const TICKS: &[u64] = &[0, 250, 500, 750, 1000];
/// Incidents drawn, and the height of each.
const INCIDENTS: usize = 20;
const ROW: u64 = 36;
/// Columns of an incident's label.
const LABEL: usize = 90;
/// Spans from which on labels leave out what is finer, in milliseconds.
const DAYS: i64 = 10 * 86_400_000;
const HOURS: i64 = 20 * 3_600_000;
const SECONDS: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close_and_rise() {
        for (value, expected) in [(1, 0), (10, 100), (1_000, 300), (2_000, 330), (5_000, 370), (9_999, 400)] {
            assert!(hundredths_of_log10(value).abs_diff(expected) <= 1, "{value}: {}", hundredths_of_log10(value));
        }
        assert!((1..5_000).all(|value| hundredths_of_log10(value) <= hundredths_of_log10(value + 1)));
    }

    #[test]
    fn columns_are_stacked_from_the_bottom_and_nothing_is_too_small_to_see() {
        let mut bucket = Bucket::default();
        bucket.classes[0] = 50;
        bucket.classes[3] = 1;
        assert_eq!(stack(&bucket, 100), [(Class::Failed, TOP + PLOT / 2, PLOT / 2), (Class::Completed, TOP + PLOT / 2 - 2, 2)]);
    }

    #[test]
    fn every_handshake_is_in_a_bucket() {
        let span = Span::of([5_000, 7_000, 6_000].into_iter()).unwrap();
        let class = |start| if start == 7_000 { Class::Failed } else { Class::Completed };
        let points = [5_000, 6_000, 7_000].map(|start| Point { start, class: class(start), took: Some(9) });
        let list = buckets(points.into_iter(), span);
        assert_eq!(list.iter().map(Bucket::all).sum::<u64>(), 3);
        assert_eq!(list.last().map(|bucket| bucket.parts().collect::<Vec<_>>()), Some(vec![(Class::Failed, 1)]));
        let one = Span::of([5_000].into_iter()).unwrap();
        assert_eq!(buckets(points.into_iter().take(1), one).iter().map(Bucket::all).sum::<u64>(), 1);
        assert!(Span::of(std::iter::empty()).is_none());
    }
}
