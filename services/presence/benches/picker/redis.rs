//! Redis, asked the same, in the fewest round trips that it can be asked in.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use baton_api::presence::v1::PickerTarget;
use baton_presence::measure::Crowd;
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{Changing, PAGE, all_of, spread};

/// A Redis of its own on a socket of its own, without a disk; it ends with this.
pub(super) struct Redis {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
    version: AtomicU32,
}

/// One round trip: who is first in the team, and what is to be shown of them.
const FIRST_OF: &str = "local ids = redis.call('ZRANGE', KEYS[1], 0, 49) return redis.call('MGET', unpack(ids))";

impl Redis {
    pub(super) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
        let process = command.current_dir(folder.path()).stdout(Stdio::null()).spawn().ok()?;
        Some(Self { process, folder, port, version: AtomicU32::new(0) })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        for _ in 0..100 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)).await {
                stream.set_nodelay(true)?;
                return Ok(Connection { stream: BufReader::new(stream), out: Vec::new() });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("redis-server does not listen ({})", Path::new(self.folder.path()).display())
    }

    /// Each agent's part of the answer is as long as Baton's, of which this is a page.
    pub(super) async fn fill(&self, sample: &[Bytes], crowd: Crowd) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let mut waiting = 0;
        for agent in 0..crowd.agents {
            connection.set(agent, &sample[agent as usize % sample.len()]);
            waiting += 1;
            for team in crowd.teams_of(agent) {
                connection.add(team, agent, u64::from(agent));
                waiting += 1;
            }
            if waiting > 1_000 || agent + 1 == crowd.agents {
                connection.flush(waiting).await?;
                waiting = 0;
            }
        }
        Ok(())
    }

    pub(super) async fn bytes(&self) -> anyhow::Result<u64> {
        let mut connection = self.connect().await?;
        connection.command(&[b"INFO", b"memory"]);
        connection.send().await?;
        let Reply::Bytes(text) = connection.reply().await? else { anyhow::bail!("no memory in INFO") };
        let text = String::from_utf8(text)?;
        let line = text.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(line.and_then(|it| it.trim().parse().ok()).unwrap_or_default())
    }

    pub(super) async fn pickers(
        &self,
        crowd: Crowd,
        callers: usize,
        span: Duration,
    ) -> anyhow::Result<(Vec<Duration>, Duration)> {
        let mut connection = self.connect().await?;
        connection.command(&[b"SCRIPT", b"LOAD", FIRST_OF.as_bytes()]);
        connection.send().await?;
        let Reply::Bytes(script) = connection.reply().await? else { anyhow::bail!("the script was not loaded") };
        let changing = self.changing(crowd).await?;
        let mut connections = Vec::new();
        for _ in 0..callers {
            connections.push(self.connect().await?);
        }
        let begin = Instant::now();
        let tasks = connections.into_iter().enumerate().map(|(caller, mut connection)| {
            let script = script.clone();
            tokio::spawn(async move {
                let (begin, mut latencies) = (Instant::now(), Vec::new());
                let mut number = 0;
                while begin.elapsed() < span {
                    let sent = Instant::now();
                    let team = format!("t{}", spread(number, caller) % crowd.teams());
                    connection.command(&[b"EVALSHA", &script, b"1", team.as_bytes()]);
                    connection.send().await?;
                    let Reply::Array(found) = connection.reply().await? else { anyhow::bail!("no page") };
                    // As a client does that shows them.
                    for target in &found {
                        PickerTarget::decode(target.as_slice())?;
                    }
                    anyhow::ensure!(found.len() == PAGE, "a page of {}", found.len());
                    latencies.push(sent.elapsed());
                    number += 1;
                }
                Ok(latencies)
            })
        });
        let latencies = all_of(tasks.collect()).await?;
        let elapsed = begin.elapsed();
        changing.stop().await;
        Ok((latencies, elapsed))
    }

    /// 5,000 changes a second, of the same sort.
    async fn changing(&self, crowd: Crowd) -> anyhow::Result<Changing> {
        let connection = Arc::new(tokio::sync::Mutex::new(self.connect().await?));
        let number = Arc::new(AtomicU32::new(0));
        Ok(Changing::with(move |agent| {
            let (connection, number) = (Arc::clone(&connection), Arc::clone(&number));
            async move {
                let mut connection = connection.lock().await;
                let number = number.fetch_add(1, Ordering::Relaxed);
                connection.change(crowd, agent % crowd.agents, number % 2 == 1, number);
                // What comes together is sent together.
                if number % 50 == 49 {
                    connection.flush(150).await.expect("Redis answers");
                }
            }
        }))
    }

    pub(super) async fn changes(&self, crowd: Crowd, span: Duration) -> anyhow::Result<(u32, Duration)> {
        let mut connection = self.connect().await?;
        let begin = Instant::now();
        let mut count = 0;
        while begin.elapsed() < span {
            for _ in 0..100 {
                let number = self.version.fetch_add(1, Ordering::Relaxed);
                connection.change(crowd, spread(number / 2, 7) % crowd.agents, number % 2 == 1, number);
            }
            connection.flush(300).await?;
            count += 100;
        }
        Ok((count, begin.elapsed()))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that sends many commands at once.
struct Connection {
    stream: BufReader<TcpStream>,
    out: Vec<u8>,
}

enum Reply {
    Other,
    Bytes(Vec<u8>),
    Array(Vec<Vec<u8>>),
}

impl Connection {
    fn command(&mut self, parts: &[&[u8]]) {
        self.out.extend(format!("*{}\r\n", parts.len()).bytes());
        for part in parts {
            self.out.extend(format!("${}\r\n", part.len()).bytes());
            self.out.extend_from_slice(part);
            self.out.extend(b"\r\n");
        }
    }

    fn set(&mut self, agent: u32, shown: &[u8]) {
        self.command(&[b"SET", format!("a{agent}").as_bytes(), shown]);
    }

    fn add(&mut self, team: u32, agent: u32, since: u64) {
        let (team, since, agent) = (format!("t{team}"), since.to_string(), format!("a{agent}"));
        self.command(&[b"ZADD", team.as_bytes(), since.as_bytes(), agent.as_bytes()]);
    }

    /// What a change of a state is there: what is shown of the agent, and their place in both teams.
    fn change(&mut self, crowd: Crowd, agent: u32, available: bool, now: u32) {
        self.set_state(agent, now);
        for team in crowd.teams_of(agent) {
            if available {
                self.add(team, agent, u64::from(crowd.agents) + u64::from(now));
            } else {
                let (team, agent) = (format!("t{team}"), format!("a{agent}"));
                self.command(&[b"ZREM", team.as_bytes(), agent.as_bytes()]);
            }
        }
    }

    /// Writes what is shown anew; that a byte of it changes is enough.
    fn set_state(&mut self, agent: u32, now: u32) {
        let time = now.to_be_bytes();
        self.command(&[b"SETRANGE", format!("a{agent}").as_bytes(), b"4", &[b'0' + time[3] % 10]]);
    }

    async fn send(&mut self) -> anyhow::Result<()> {
        let out = std::mem::take(&mut self.out);
        self.stream.get_mut().write_all(&out).await?;
        Ok(())
    }

    async fn flush(&mut self, replies: usize) -> anyhow::Result<()> {
        self.send().await?;
        for _ in 0..replies {
            self.reply().await?;
        }
        Ok(())
    }

    async fn reply(&mut self) -> anyhow::Result<Reply> {
        let line = self.line().await?;
        match line.split_at(1) {
            ("$", length) => Ok(Reply::Bytes(self.bytes(length.parse()?).await?)),
            ("*", count) => {
                let mut found = Vec::new();
                for _ in 0..count.parse::<usize>()? {
                    let length = self.line().await?;
                    found.push(self.bytes(length.trim_start_matches('$').parse()?).await?);
                }
                Ok(Reply::Array(found))
            }
            ("-", error) => anyhow::bail!("Redis: {error}"),
            _ => Ok(Reply::Other),
        }
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        anyhow::ensure!(line.len() > 2, "Redis went away");
        Ok(line.trim_end().to_owned())
    }

    async fn bytes(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(bytes)
    }
}
