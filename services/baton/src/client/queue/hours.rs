//! Opening hours as they are written: `mon-fri 09:00-17:30`.

use std::str::FromStr;

use baton_api::routing::v1::OpeningHours;

/// The intervals of one text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HoursText(pub(super) Vec<OpeningHours>);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl FromStr for HoursText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "always" {
            return Ok(Self(Vec::new()));
        }
        let bad = || format!("{text:?} is no opening hours; write mon-fri 09:00-17:30, or always");
        let (days, times) = text.trim().split_once(' ').ok_or_else(bad)?;
        let (from, to) = times.trim().split_once('-').ok_or_else(bad)?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let day = |name: &str| DAYS.iter().position(|it| *it == name.to_lowercase());
        let (first, last) = day(first).zip(day(last)).ok_or_else(bad)?;
        // From Saturday to Monday goes over Sunday.
        let days = (0..=(last + 7 - first) % 7).map(|after| (first + after) % 7 + 1);
        let hours = days.map(|day| OpeningHours {
            day: i32::try_from(day).unwrap_or_default(),
            from: from.to_owned(),
            to: to.to_owned(),
        });
        Ok(Self(hours.collect()))
    }
}

/// Opening hours as they are written: each interval with the days on which it is.
pub(super) fn shown(hours: &[OpeningHours]) -> Vec<String> {
    let mut intervals: Vec<(String, Vec<&str>)> = Vec::new();
    for it in hours {
        let interval = format!("{}-{}", it.from, it.to);
        let day = usize::try_from(it.day - 1).ok().and_then(|at| DAYS.get(at)).copied().unwrap_or("-");
        match intervals.iter_mut().find(|(known, _)| *known == interval) {
            Some((_, days)) => days.push(day),
            None => intervals.push((interval, vec![day])),
        }
    }
    intervals.into_iter().map(|(interval, days)| format!("{} {interval}", days.join(" "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(text: &str) -> Vec<i32> {
        text.parse::<HoursText>().unwrap().0.iter().map(|it| it.day).collect()
    }

    #[test]
    fn hours_are_read() {
        assert_eq!(days("mon-fri 09:00-17:30"), [1, 2, 3, 4, 5]);
        assert_eq!((days("sat-mon 10:00-12:00"), days("sun 00:00-24:00")), (vec![6, 7, 1], vec![7]));
        assert!(days("always").is_empty());
        for wrong in ["", "mon", "mon 9", "noday 09:00-10:00"] {
            assert!(wrong.parse::<HoursText>().is_err(), "{wrong}");
        }
    }
}
