//! A process that serves a port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at again while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A port of loopback that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of loopback");
    listener.local_addr().expect("the port's number").port()
}

/// `name`, made different from every other name of this and other runs.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A child that dies when the test's process does, even by SIGKILL.
#[derive(Debug)]
pub struct Service {
    child: Child,
    name: &'static str,
}

impl Service {
    pub fn spawn(name: &'static str, mut command: Command) -> Self {
        die_with_parent(&mut command);
        let (send, receive) = mpsc::channel();
        // The kernel's "parent" is the thread that forks: it must live as long as the process, which a test's thread does not.
        thread::spawn(move || {
            if send.send(command.spawn()).is_ok() {
                loop {
                    thread::park();
                }
            }
        });
        let child = receive.recv().expect("the spawning thread lives");
        Service { child: child.unwrap_or_else(|e| panic!("{name} does not start: {e}")), name }
    }

    /// Waits until something listens on `port`.
    pub fn wait_for_port(&mut self, port: u16, within: Duration, log: &Path) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + within;
        while TcpStream::connect(address).is_err() {
            let ended = self.child.try_wait().expect("the child can be waited for");
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(ended.is_none(), "{} ended ({ended:?}) instead of listening on {port}:\n{}", self.name, said());
            assert!(Instant::now() < deadline, "{} does not listen on {port} after {within:?}:\n{}", self.name, said());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be waited for")
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the child was not waited for with success yet, so its id is still its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Waits for the end of a child that was told to end; kills it when the time is over.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            if Instant::now() > deadline {
                self.signal(libc::SIGKILL);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: prctl is a system call; nothing is allocated or locked between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
