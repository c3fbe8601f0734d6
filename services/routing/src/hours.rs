//! Opening hours: weekly intervals in a time zone, but for holidays.

use std::str::FromStr as _;

use baton_api::ApiError;
use baton_api::routing::v1::{OpeningHours, Queue};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

const MAX_HOURS: usize = 50;
const MAX_HOLIDAYS: usize = 100;
const DAY_MINUTES: i32 = 24 * 60;
/// How far ahead an opening is looked for.
const LOOKED_AHEAD_DAYS: i64 = 14;

/// When a queue is open.
#[derive(Debug, Clone)]
pub(crate) struct Hours {
    zone: TimeZone,
    /// Weekday, and the minutes of the day from and until which.
    weekly: Vec<(Weekday, i32, i32)>,
    holidays: Vec<Date>,
}

impl Hours {
    /// Checks what a client sent, field by field.
    pub(crate) fn parse(queue: &Queue) -> Result<Self, ApiError> {
        if queue.opening_hours.len() > MAX_HOURS {
            return Err(ApiError::invalid_argument("queue.opening_hours", format!("must be {MAX_HOURS} at most")));
        }
        if queue.holidays.len() > MAX_HOLIDAYS {
            return Err(ApiError::invalid_argument("queue.holidays", format!("must be {MAX_HOLIDAYS} at most")));
        }
        let weekly = queue.opening_hours.iter().enumerate().map(|(at, it)| interval(at, it));
        let holidays = queue.holidays.iter().enumerate().map(|(at, text)| {
            let bad = |_| ApiError::invalid_argument(&format!("queue.holidays[{at}]"), "must be a day, YYYY-MM-DD");
            if text.len() == 10 {
                Date::from_str(text).map_err(bad)
            } else {
                Err(bad(jiff::Error::from_args(format_args!(""))))
            }
        });
        Ok(Self {
            zone: zone(&queue.time_zone)?,
            weekly: weekly.collect::<Result<_, _>>()?,
            holidays: holidays.collect::<Result<_, _>>()?,
        })
    }

    /// Those of a stored queue, which were checked before.
    pub(crate) fn of(queue: &Queue) -> Self {
        Self::parse(queue).unwrap_or(Self { zone: TimeZone::UTC, weekly: Vec::new(), holidays: Vec::new() })
    }

    pub(crate) fn is_open(&self, now_us: i64) -> bool {
        let now = self.local(now_us);
        let minute = minute_of(now.datetime());
        let on_time = |(day, from, to): &(Weekday, i32, i32)| *day == now.weekday() && (*from..*to).contains(&minute);
        !self.holidays.contains(&now.date()) && (self.weekly.is_empty() || self.weekly.iter().any(on_time))
    }

    /// When it opens next, microseconds since the epoch; none while it is open, and if it does not within two weeks.
    pub(crate) fn opens_us(&self, now_us: i64) -> Option<i64> {
        if self.is_open(now_us) {
            return None;
        }
        let today = self.local(now_us).date();
        let days = (0..=LOOKED_AHEAD_DAYS).filter_map(|day| today.checked_add(jiff::Span::new().days(day)).ok());
        let openings = days.filter(|day| !self.holidays.contains(day)).flat_map(|day| {
            let whole = self.weekly.is_empty().then_some(0);
            let own = self.weekly.iter().filter(move |(weekday, ..)| *weekday == day.weekday());
            whole.into_iter().chain(own.map(|(_, from, _)| *from)).map(move |minute| (day, minute))
        });
        let moments = openings.filter_map(|(day, minute)| {
            let time = day.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
            Some(self.zone.to_ambiguous_zoned(time).compatible().ok()?.timestamp().as_microsecond())
        });
        moments.filter(|at_us| *at_us > now_us).min()
    }

    /// When the day began on which this moment is.
    pub(crate) fn day_start_us(&self, now_us: i64) -> i64 {
        let now = self.local(now_us);
        now.start_of_day().map_or(now_us, |start| start.timestamp().as_microsecond())
    }

    fn local(&self, now_us: i64) -> Zoned {
        Timestamp::from_microsecond(now_us).unwrap_or_default().to_zoned(self.zone.clone())
    }
}

fn minute_of(time: DateTime) -> i32 {
    i32::from(time.hour()) * 60 + i32::from(time.minute())
}

fn zone(name: &str) -> Result<TimeZone, ApiError> {
    let bad =
        |_| ApiError::invalid_argument("queue.time_zone", "must be an IANA time zone, for example Europe/Brussels");
    if name.is_empty() { Ok(TimeZone::UTC) } else { TimeZone::get(name).map_err(bad) }
}

fn interval(at: usize, hours: &OpeningHours) -> Result<(Weekday, i32, i32), ApiError> {
    let refuse = |part: &str, why: &str| ApiError::invalid_argument(&format!("queue.opening_hours[{at}].{part}"), why);
    let day = i8::try_from(hours.day).ok().and_then(|day| Weekday::from_monday_one_offset(day).ok());
    let day = day.ok_or_else(|| refuse("day", "must be 1 (Monday) to 7 (Sunday)"))?;
    let from = minute(&hours.from).filter(|it| *it < DAY_MINUTES);
    let from = from.ok_or_else(|| refuse("from", "must be a time of day, HH:MM"))?;
    let to = minute(&hours.to).filter(|it| *it > from);
    let to = to.ok_or_else(|| refuse("to", "must be a time of day, HH:MM, after `from`; 24:00 at most"))?;
    Ok((day, from, to))
}

fn minute(text: &str) -> Option<i32> {
    let (hour, minute) = text.split_once(':').filter(|_| text.len() == 5)?;
    let number = |text: &str| text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse::<i32>().ok()).flatten();
    let all = number(hour)? * 60 + number(minute).filter(|it| *it < 60)?;
    (all <= DAY_MINUTES).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(zone: &str, hours: &[(i32, &str, &str)], holidays: &[&str]) -> Queue {
        let hours = hours.iter().map(|(day, from, to)| OpeningHours {
            day: *day,
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        });
        Queue {
            time_zone: zone.to_owned(),
            opening_hours: hours.collect(),
            holidays: holidays.iter().map(|it| (*it).to_owned()).collect(),
            ..Queue::default()
        }
    }

    fn at(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn a_queue_is_open_within_its_hours_in_its_own_time_zone() {
        let brussels = Hours::parse(&queue("Europe/Brussels", &[(1, "09:00", "17:30")], &["2026-03-30"])).unwrap();
        for (time, open) in [
            // A Monday in winter: 09:00 there is 08:00 UTC.
            ("2026-03-23T07:59:59Z", false),
            ("2026-03-23T08:00:00Z", true),
            ("2026-03-23T16:29:59Z", true),
            ("2026-03-23T16:30:00Z", false),
            ("2026-03-24T10:00:00Z", false),
            // A holiday; and a Monday in summer.
            ("2026-03-30T10:00:00Z", false),
            ("2026-04-06T07:00:00Z", true),
        ] {
            assert_eq!(brussels.is_open(at(time)), open, "{time}");
        }
        assert_eq!(brussels.opens_us(at("2026-03-23T10:00:00Z")), None);
        assert_eq!(brussels.opens_us(at("2026-03-23T17:00:00Z")), Some(at("2026-04-06T07:00:00Z")));
        assert_eq!(brussels.day_start_us(at("2026-04-06T07:00:00Z")), at("2026-04-05T22:00:00Z"));
    }

    #[test]
    fn without_hours_it_is_always_open_but_on_holidays() {
        let always = Hours::parse(&queue("", &[], &["2026-12-25"])).unwrap();
        assert!(always.is_open(at("2026-12-24T23:59:59Z")) && !always.is_open(at("2026-12-25T12:00:00Z")));
        assert_eq!(always.opens_us(at("2026-12-25T12:00:00Z")), Some(at("2026-12-26T00:00:00Z")));
    }

    #[test]
    fn wrong_hours_are_named() {
        for (bad, field) in [
            (queue("Mars/Olympus", &[], &[]), "queue.time_zone"),
            (queue("", &[(0, "09:00", "10:00")], &[]), "queue.opening_hours[0].day"),
            (queue("", &[(1, "9:00", "10:00")], &[]), "queue.opening_hours[0].from"),
            (queue("", &[(1, "09:00", "09:00")], &[]), "queue.opening_hours[0].to"),
            (queue("", &[(1, "09:00", "24:01")], &[]), "queue.opening_hours[0].to"),
            (queue("", &[], &["25.12.2026"]), "queue.holidays[0]"),
        ] {
            assert_eq!(Hours::parse(&bad).unwrap_err().fields[0].0, field);
        }
        assert!(Hours::parse(&queue("", &[(7, "00:00", "24:00")], &[])).is_ok());
    }
}
