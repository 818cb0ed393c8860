//! A release with a configuration: what makes instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmill_core::plugin::{self, CallError, Fault};
use wasmill_core::schema::Descriptor;

use crate::aggregator::AggregatorInstance;
use crate::contract::World;
use crate::cut::Pace;
use crate::descriptor;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::guest::Identity;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log::{PluginLog, Voice};
use crate::release::{Exports, Release};
use crate::transformer::TransformerInstance;
use crate::v0_1;
use crate::wasi::Generator;

/// Versions of a state that a plugin may say it restores.
const MAX_STATE_VERSIONS: usize = 64;

/// A release, configured and limited: the source of instances for the tasks that call it.
pub struct Plugin {
    engine: Engine,
    release: Arc<Release>,
    config: String,
    identity: Arc<Identity>,
    descriptor: Arc<Descriptor>,
    states: Option<StateVersions>,
}

/// What an aggregator stores and reads back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateVersions {
    /// The version that `snapshot` writes.
    pub writes: u32,
    /// Those that `restore` understands, `writes` among them.
    pub restores: Vec<u32>,
}

impl Plugin {
    /// Makes one instance, configures it and checks what it says of itself.
    ///
    /// `name`: the plugin's in the configuration. `config`: a JSON document.
    ///
    /// # Errors
    /// The plugin refuses the configuration, describes itself against the contract, or fails before its first event.
    pub fn new(
        engine: &Engine,
        name: &str,
        release: Arc<Release>,
        config: &str,
        limits: Limits,
        log: Arc<dyn PluginLog>,
    ) -> Result<Self, LoadError> {
        let identity = Arc::new(Identity {
            name: name.to_owned(),
            release: release.short().to_owned(),
            random: Generator::of(release.sha256()),
            limits,
            log,
            voice: Voice::default(),
            memory_bytes: Arc::new(AtomicU64::new(0)),
        });
        let wrong = |message| LoadError::Descriptor { plugin: name.to_owned(), message };
        let (described, states) = match release.exports() {
            Exports::Transformer(exports) => (first_transformer(engine, &identity, exports, config), None),
            Exports::Aggregator(exports) => match first_aggregator(engine, &identity, exports, config) {
                Ok((described, states)) => (Ok(described), Some(states)),
                Err(error) => (Err(error), None),
            },
        };
        let described = described.map_err(|error| at_start(name, error))?;
        let descriptor = descriptor::lift(described, release.world()).map_err(wrong)?;
        let states = states.map(state_versions).transpose().map_err(wrong)?;
        let (engine, config, descriptor) = (engine.clone(), config.to_owned(), Arc::new(descriptor));
        Ok(Plugin { engine, release, config, identity, descriptor, states })
    }

    pub fn name(&self) -> &str {
        &self.identity.name
    }

    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    pub fn descriptor(&self) -> &Arc<Descriptor> {
        &self.descriptor
    }

    /// `None`: a transformer, which has no state.
    pub fn states(&self) -> Option<&StateVersions> {
        self.states.as_ref()
    }

    pub fn limits(&self) -> Limits {
        self.identity.limits
    }

    /// Linear memory of all living instances, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.identity.memory_bytes.load(Ordering::Relaxed)
    }

    /// A fresh, configured instance.
    ///
    /// # Errors
    /// It fails to start, or describes itself otherwise than the first one did.
    pub fn transformer(&self) -> Result<Box<dyn plugin::Transformer>, CallError> {
        let Exports::Transformer(exports) = self.release.exports() else {
            return Err(self.is_a(World::Aggregator));
        };
        let mut instance = Instance::new(&self.engine, &self.identity, |store| exports.instantiate(store))?;
        configure_transformer(&mut instance, &self.config, |described| self.same(described, World::Transformer))?;
        Ok(Box::new(TransformerInstance { instance, descriptor: Arc::clone(&self.descriptor) }))
    }

    /// A fresh, configured instance without states.
    ///
    /// # Errors
    /// It fails to start, or describes itself otherwise than the first one did.
    pub fn aggregator(&self) -> Result<Box<dyn plugin::Aggregator>, CallError> {
        let (Exports::Aggregator(exports), Some(states)) = (self.release.exports(), &self.states) else {
            return Err(self.is_a(World::Transformer));
        };
        let mut instance = Instance::new(&self.engine, &self.identity, |store| exports.instantiate(store))?;
        configure_aggregator(&mut instance, &self.config, |described| self.same(described, World::Aggregator))?;
        let output_bytes = self.identity.limits.output_bytes;
        Ok(Box::new(AggregatorInstance {
            instance,
            descriptor: Arc::clone(&self.descriptor),
            state_version: states.writes,
            emit_pace: Pace::new(output_bytes),
            snapshot_pace: Pace::new(output_bytes),
        }))
    }

    fn same(&self, described: v0_1::Descriptor, world: World) -> Result<(), String> {
        match descriptor::lift(described, world) {
            Ok(descriptor) if descriptor == *self.descriptor => Ok(()),
            Ok(_) => Err("an instance describes itself otherwise than the first one: `configure` must depend on the \
                          configuration alone"
                .to_owned()),
            Err(rule) => Err(rule),
        }
    }

    fn is_a(&self, world: World) -> CallError {
        let message = match world {
            World::Transformer => "it is a transformer: name it under `transform`, not `aggregate`",
            World::Aggregator => "it is an aggregator: name it under `aggregate`, not `transform`",
        };
        self.identity.error("start", Fault::Invalid, message.to_owned())
    }
}

impl plugin::Plugin for Plugin {
    fn name(&self) -> &str {
        Plugin::name(self)
    }

    fn release(&self) -> &str {
        self.release.short()
    }

    fn transformer(&self) -> Result<Box<dyn plugin::Transformer>, CallError> {
        Plugin::transformer(self)
    }

    fn aggregator(&self) -> Result<Box<dyn plugin::Aggregator>, CallError> {
        Plugin::aggregator(self)
    }

    fn state_version(&self) -> Option<u32> {
        self.states.as_ref().map(|states| states.writes)
    }

    fn restores(&self, version: u32) -> bool {
        self.states.as_ref().is_some_and(|states| states.restores.contains(&version))
    }

    fn memory_bytes(&self) -> u64 {
        Plugin::memory_bytes(self)
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name()).field("release", &self.release).finish_non_exhaustive()
    }
}

fn first_transformer(
    engine: &Engine,
    identity: &Arc<Identity>,
    exports: &v0_1::TransformerPre<crate::guest::Guest>,
    config: &str,
) -> Result<v0_1::Descriptor, CallError> {
    let mut instance = Instance::new(engine, identity, |store| exports.instantiate(store))?;
    configure_transformer(&mut instance, config, Ok)
}

fn first_aggregator(
    engine: &Engine,
    identity: &Arc<Identity>,
    exports: &v0_1::AggregatorPre<crate::guest::Guest>,
    config: &str,
) -> Result<(v0_1::Descriptor, v0_1::StateVersions), CallError> {
    let mut instance = Instance::new(engine, identity, |store| exports.instantiate(store))?;
    let descriptor = configure_aggregator(&mut instance, config, Ok)?;
    let states =
        instance.call("versions", |world, store| world.wasmill_plugin_state().call_versions(store).map(Ok), Ok)?;
    Ok((descriptor, states))
}

fn configure_transformer<R>(
    instance: &mut Instance<v0_1::Transformer>,
    config: &str,
    check: impl FnOnce(v0_1::Descriptor) -> Result<R, String>,
) -> Result<R, CallError> {
    let run = |world: &v0_1::Transformer, store: &mut _| world.wasmill_plugin_transform().call_configure(store, config);
    instance.call("configure", run, check)
}

fn configure_aggregator<R>(
    instance: &mut Instance<v0_1::Aggregator>,
    config: &str,
    check: impl FnOnce(v0_1::Descriptor) -> Result<R, String>,
) -> Result<R, CallError> {
    let run = |world: &v0_1::Aggregator, store: &mut _| world.wasmill_plugin_aggregate().call_configure(store, config);
    instance.call("configure", run, check)
}

fn at_start(plugin: &str, error: CallError) -> LoadError {
    match error.fault {
        Fault::Refused => LoadError::Configuration { plugin: plugin.to_owned(), message: error.message },
        _ => LoadError::Start(error),
    }
}

fn state_versions(versions: v0_1::StateVersions) -> Result<StateVersions, String> {
    let v0_1::StateVersions { writes, restores } = versions;
    if restores.len() > MAX_STATE_VERSIONS {
        return Err(format!(
            "it restores {} versions of its state, at most {MAX_STATE_VERSIONS} are allowed",
            restores.len()
        ));
    }
    if !restores.contains(&writes) {
        return Err(format!("it writes version {writes} of its state and does not restore it"));
    }
    Ok(StateVersions { writes, restores })
}
