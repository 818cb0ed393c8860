//! Processes, with what the kernel says they cost.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// What a process took.
#[derive(Clone, Debug)]
pub struct Cost {
    /// User and system time of all its threads.
    pub cpu: Duration,
    pub wall: Duration,
    pub peak_memory_bytes: u64,
    /// What it wrote to standard output.
    pub output: String,
}

/// Runs `command` to its end.
///
/// # Errors
/// It cannot be started, or does not exit with 0.
pub fn run(command: &mut Command) -> Result<Cost> {
    let shown = format!("{command:?}");
    let started = Instant::now();
    // Dies with the benchmark.
    // SAFETY: prctl is a system call; nothing is allocated or locked between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| format!("{shown} does not start: {error}"))?;
    let mut output = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut output)?;
    }
    let mut status = 0;
    // SAFETY: both are plain numbers, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the child was not waited for yet, so its id is its own; both pointers are to live locals.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    if waited < 0 {
        return Err(format!("waiting for {shown}: {}", std::io::Error::last_os_error()).into());
    }
    if status != 0 {
        return Err(format!("{shown} failed (status {status}); what it said is above").into());
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    Ok(Cost {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        wall: started.elapsed(),
        peak_memory_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
        output,
    })
}

/// This binary again.
///
/// # Errors
/// Where it lies is not known.
pub fn this(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// One part of the benchmark, in a process of its own; returns what it printed.
///
/// # Errors
/// Those of [`run`].
pub fn part(arguments: &[&str]) -> Result<String> {
    eprintln!("{}", arguments.join(" "));
    Ok(run(&mut this(arguments)?)?.output)
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
