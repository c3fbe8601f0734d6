//! The estimated wait (B302): how long whoever came now would wait for an agent of a queue.
//!
//! With `n` agents who serve it, calls end on average every `handling time / n`; whoever has `k` others before them waits for `k + 1` ends, less the
//! agents who are free already. The handling time is the mean of the last calls, and of a few of three minutes, so that the first calls of a new
//! queue do not throw it about. What it does not know: calls that the same agents get from elsewhere, and how long the present ones go on already. The
//! simulation below says how far off it is.

/// So many of the last calls count.
pub(crate) const LAST_CALLS: i64 = 30;
/// What a call takes before anything is known, microseconds, and as how many calls that counts.
const PRIOR_US: i64 = 180_000_000;
const PRIOR_CALLS: i64 = 3;

/// How a queue stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    /// How many wait before whoever comes now.
    pub(crate) ahead: i64,
    /// Agents who serve it and are signed in, and those of them who are free.
    pub(crate) signed_in: i64,
    pub(crate) free: i64,
    /// How long the last calls took, microseconds.
    pub(crate) handling_us: &'a [i64],
}

/// The estimate, microseconds; none where nobody is signed in.
pub(crate) fn wait_us(load: Load<'_>) -> Option<i64> {
    let Load { ahead, signed_in, free, handling_us } = load;
    if signed_in == 0 {
        return None;
    }
    let known: i64 = handling_us.iter().sum();
    let mean_us = (PRIOR_US * PRIOR_CALLS + known) / (PRIOR_CALLS + handling_us.len() as i64);
    Some((ahead + 1 - free).max(0) * mean_us / signed_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn load(ahead: i64, signed_in: i64, free: i64) -> Load<'static> {
        Load { ahead, signed_in, free, handling_us: &[] }
    }

    #[test]
    fn whoever_finds_an_agent_free_does_not_wait_and_others_wait_for_so_many_calls() {
        assert_eq!(wait_us(load(0, 0, 0)), None);
        assert_eq!(wait_us(load(0, 2, 1)), Some(0));
        assert_eq!(wait_us(load(0, 2, 0)), Some(PRIOR_US / 2));
        assert_eq!(wait_us(load(3, 2, 0)), Some(PRIOR_US * 2));
        let handling_us = [60_000_000; 30];
        let known = wait_us(Load { handling_us: &handling_us, ..load(0, 1, 0) }).unwrap();
        assert!((60_000_000..75_000_000).contains(&known), "{known}");
    }

    /// A dice that falls the same for the same seed (`xorshift64*`).
    struct Dice(u64);

    impl Dice {
        fn unit(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 + 1.0) / (1u64 << 53) as f64
        }

        /// Exponential, with this mean.
        fn exponential(&mut self, mean: f64) -> f64 {
            -mean * self.unit().ln()
        }
    }

    /// What came of one load: of those who waited, the mean wait and the mean of how far the estimate was off, either way and in all; seconds.
    struct Measured {
        waited: usize,
        wait: f64,
        off: f64,
        bias: f64,
    }

    const AGENTS: usize = 6;
    const HANDLING_S: f64 = 240.0;

    /// A day of a queue: calls come at random, and each takes as long as it takes. All are served in their order.
    fn day(load: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut dice = Dice(seed);
        let mut free_at = [0.0_f64; AGENTS];
        let (mut now, mut ends, mut starts): (f64, Vec<(f64, i64)>, VecDeque<f64>) = (0.0, Vec::new(), VecDeque::new());
        let mut measured = Vec::new();
        while now < 10.0 * 3_600.0 {
            now += dice.exponential(HANDLING_S / (load * AGENTS as f64));
            starts.retain(|start| *start > now);
            let mut done: Vec<_> = ends.iter().filter(|(end, _)| *end <= now).copied().collect();
            done.sort_by(|a, b| b.0.total_cmp(&a.0));
            let handling_us: Vec<i64> = done.iter().take(LAST_CALLS as usize).map(|(_, us)| *us).collect();
            let free = free_at.iter().filter(|at| **at <= now).count() as i64;
            let load = Load { ahead: starts.len() as i64, signed_in: AGENTS as i64, free, handling_us: &handling_us };
            let estimate = wait_us(load).expect("somebody is signed in") as f64 / 1e6;
            // A quarter is short, the rest is spread: unlike what the formula is exact for.
            let takes = if dice.unit() < 0.25 { 45.0 } else { 60.0 + dice.exponential(HANDLING_S - 15.0) };
            let first = (0..AGENTS).min_by(|a, b| free_at[*a].total_cmp(&free_at[*b])).expect("agents");
            let start = free_at[first].max(now);
            free_at[first] = start + takes;
            ends.push((start + takes, (takes * 1e6) as i64));
            starts.push_back(start);
            if start > now {
                measured.push((start - now, estimate));
            }
        }
        measured
    }

    fn measured(load: f64) -> Measured {
        let all: Vec<_> = (1..=20).flat_map(|seed| day(load, seed * 7_919)).collect();
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        Measured {
            waited: all.len(),
            wait: mean(&|(wait, _)| *wait),
            off: mean(&|(wait, estimate)| (wait - estimate).abs()),
            bias: mean(&|(wait, estimate)| estimate - wait),
        }
    }

    /// The numbers of `docs/queues.md`: `cargo test -p baton-routing --lib estimate -- --nocapture`.
    #[test]
    fn b302_the_estimate_is_not_far_off_at_any_load() {
        println!("load  waited  mean wait  off by  bias (s)");
        for load in [0.7, 0.8, 0.9, 1.0, 1.2] {
            let it = measured(load);
            println!("{load:.1}   {:6}  {:9.0}  {:6.0}  {:+.0}", it.waited, it.wait, it.off, it.bias);
            assert!(it.off < 0.75 * it.wait, "at {load} it is off by {} of {}", it.off, it.wait);
            assert!(it.bias.abs() < 0.25 * it.wait, "at {load} it is {} too long on average", it.bias);
        }
    }
}
