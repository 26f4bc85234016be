//! The index as the indexer fills it and searches read it.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use parking_lot::RwLock;

use super::{
    SearchWords,
    file::{Block, File, Found, Position},
    query::Term,
    tail::{ScopeKey, Tail},
};
use crate::{
    event::Event,
    hub::{
        PrivateChannels,
        policy::{self, Reader, Scope},
    },
    ids::{ChannelName, Seq},
    model::MessageHead,
    store::{History, StoreError},
};

/// Why the index cannot be used now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// It holds what it should not: it is to be made anew.
    #[error("the search index is damaged ({0}); it is being made anew from the log")]
    Damaged(String),
    /// It cannot be read or written now.
    #[error("the search index cannot be used now: {0}")]
    Failing(String),
}

impl From<StoreError> for IndexError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { why, .. } => Self::Damaged(why),
            other => Self::Failing(other.to_string()),
        }
    }
}

/// The index of one hub. The indexer alone changes it; any number of searches read it.
pub(crate) struct Index {
    /// Where its file is; `None` keeps it in memory.
    path: Option<PathBuf>,
    live: RwLock<Live>,
    /// `None` while there is no file: at the start, and where none can be made.
    file: RwLock<Option<File>>,
    up_to: AtomicU64,
    bytes: AtomicU64,
    /// A search met damage.
    is_damaged: AtomicBool,
    /// No file could be opened or made.
    is_failing: AtomicBool,
}

/// What changes as the index grows.
struct Live {
    position: Position,
    /// Where each block of the file begins, oldest first.
    blocks: Arc<Vec<Seq>>,
    tail: Tail,
}

/// Where to look for what.
#[derive(Clone, Debug)]
pub(crate) struct LookUp {
    /// The terms to be found together, for each scope.
    wanted: Vec<(ScopeKey, Vec<Term>)>,
}

impl LookUp {
    /// All that these scopes have of the words.
    pub(crate) fn new(words: &SearchWords, scopes: &[Scope]) -> Self {
        let terms = words.terms();
        let wanted = scopes.iter().map(|scope| (scope.into(), terms.clone())).collect();
        Self { wanted }
    }

    /// What one channel has of the words.
    pub(crate) fn on_channel(words: &SearchWords, reader: &Reader, channel: &ChannelName) -> Self {
        let scope = policy::scope_of_channel(&reader.private, channel);
        let mut terms = words.terms();
        terms.extend(label(&scope, Some(channel)).map(Term::Word));
        Self { wanted: vec![((&scope).into(), terms)] }
    }
}

/// A term that says on which channel a message stands, where its scope does not.
fn label(scope: &Scope, channel: Option<&ChannelName>) -> Option<String> {
    match (scope, channel) {
        // No word begins like this.
        (Scope::Public, Some(channel)) => Some(format!("#{channel}")),
        _ => None,
    }
}

/// Where messages may match, the newest first.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) seqs: Vec<Seq>,
    /// How far back has been looked.
    pub(crate) next: Seq,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("up_to", &self.up_to()).finish_non_exhaustive()
    }
}

impl Index {
    /// An index that is not open yet: nothing is found in it.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        let position = Position { epoch: String::new(), up_to: 0, newest: None };
        let live = Live { position, blocks: Arc::default(), tail: Tail::new(1) };
        Self {
            path,
            live: RwLock::new(live),
            file: RwLock::new(None),
            up_to: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            is_damaged: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Everything up to here is in it.
    pub(crate) fn up_to(&self) -> Seq {
        self.up_to.load(Acquire)
    }

    /// How many bytes its files take.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Whether it has a file, or a database in memory.
    pub(crate) fn is_open(&self) -> bool {
        self.file.read().is_some()
    }

    // Searching.

    /// Where messages before `below` may match: those of the newest block that has any. `None` where
    /// none has.
    pub(crate) fn candidates(
        &self,
        look_up: &LookUp,
        below: Seq,
    ) -> Result<Option<Candidates>, IndexError> {
        let blocks = {
            let live = self.live.read();
            let first = live.tail.first();
            if first < below {
                let of_scope =
                    |(scope, terms): &(ScopeKey, Vec<Term>)| live.tail.places(scope, terms);
                let mut found = look_up.wanted.iter().filter_map(of_scope);
                if let Some(mut all) = found.next() {
                    found.for_each(|places| all.or(&places));
                    all.cut(below - first);
                    if !all.is_empty() {
                        return Ok(Some(candidates(first, &all.backwards())));
                    }
                }
            }
            live.blocks.clone()
        };
        let file = self.file.read();
        let Some(file) = &*file else {
            return match self.is_failing.load(Acquire) {
                true => Err(IndexError::Failing("its file cannot be opened or made".to_owned())),
                false => Ok(None),
            };
        };
        match file.newest_places(&blocks, &look_up.wanted, below) {
            Ok(found) => Ok(found.map(|(first, places)| candidates(first, &places.backwards()))),
            Err(error) => {
                let error = error.into();
                if matches!(error, IndexError::Damaged(_)) {
                    self.is_damaged.store(true, Release);
                }
                Err(error)
            }
        }
    }

    // Filling it: the indexer's alone.

    /// Opens the index of a log, where what is there is one; else begins a new one.
    pub(crate) fn open(
        &self,
        epoch: &str,
        head: Seq,
        history: &dyn History,
    ) -> Result<(), IndexError> {
        let opened = self.open_existing(epoch, head, history);
        let opened = match opened {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => self.create(epoch),
            // Whatever is wrong with it: nothing is lost with it.
            Err(error) => {
                tracing::warn!(why = %error, "the search index cannot be opened; it is made anew");
                self.create(epoch)
            }
        };
        self.is_failing.store(opened.is_err(), Release);
        let (file, found) = opened?;
        self.up_to.store(found.position.up_to, Release);
        self.bytes.store(file.bytes(), Relaxed);
        let Found { position, blocks, tail } = found;
        *self.live.write() = Live { position, blocks: Arc::new(blocks), tail };
        *self.file.write() = Some(file);
        Ok(())
    }

    fn open_existing(
        &self,
        epoch: &str,
        head: Seq,
        history: &dyn History,
    ) -> Result<Option<(File, Found)>, IndexError> {
        let Some(path) = &self.path else { return Ok(None) };
        let Some((file, found)) = File::open(path)? else { return Ok(None) };
        let Position { epoch: known, up_to, newest } = &found.position;
        let is_of_this_log = known == epoch
            && *up_to <= head
            && match newest {
                Some((seq, id)) => history.message(id)?.is_some_and(|kept| kept.seq == *seq),
                None => true,
            };
        if !is_of_this_log {
            tracing::info!("the search index is of another log; it is made anew");
        }
        Ok(is_of_this_log.then_some((file, found)))
    }

    fn create(&self, epoch: &str) -> Result<(File, Found), IndexError> {
        let position = Position { epoch: epoch.to_owned(), up_to: 0, newest: None };
        let file = File::create(self.path.as_deref(), &position)?;
        Ok((file, Found { position, blocks: Vec::new(), tail: Tail::new(1) }))
    }

    /// Whether a search has met damage.
    pub(crate) fn check(&self) -> Result<(), IndexError> {
        if self.is_damaged.load(Acquire) {
            return Err(IndexError::Damaged("a search could not read it".to_owned()));
        }
        Ok(())
    }

    /// Takes in what follows in the log: a message.
    pub(crate) fn add_message(
        &self,
        private: &PrivateChannels,
        head: &MessageHead,
        content: &str,
    ) -> Result<(), IndexError> {
        let seq = head.seq;
        let audience = policy::audience_of_message(
            &head.from_entity,
            head.to_entity.as_ref(),
            head.channel.as_ref(),
        );
        let scopes = audience.scopes(private);
        let label = scopes.first().and_then(|scope| label(scope, head.channel.as_ref()));
        let keys: Vec<ScopeKey> = scopes.iter().map(ScopeKey::from).collect();
        self.make_room(seq)?;
        let mut live = self.live.write();
        live.tail.add(seq, &keys, label.as_deref(), content);
        live.position.newest = Some((seq, head.message_id.clone()));
        live.position.up_to = seq;
        self.up_to.store(seq, Release);
        Ok(())
    }

    /// Takes in what follows in the log.
    pub(crate) fn add_event(
        &self,
        private: &PrivateChannels,
        seq: Seq,
        event: &Event,
    ) -> Result<(), IndexError> {
        match event {
            Event::MessageSent(message) => {
                return self.add_message(private, &message.head(), &message.content);
            }
            Event::MessageRedacted(redacted) => self.remove(redacted.of.message_seq)?,
            Event::HistoryPruned(pruned) => self.forget(pruned.up_to.unwrap_or(0))?,
            _ => {}
        }
        self.make_room(seq)?;
        self.live.write().position.up_to = seq;
        self.up_to.store(seq, Release);
        Ok(())
    }

    /// Begins after what the log has no more.
    pub(crate) fn skip_to(&self, up_to: Seq) -> Result<(), IndexError> {
        if up_to <= self.up_to() {
            return Ok(());
        }
        self.finish_block()?;
        let mut live = self.live.write();
        live.position.up_to = up_to;
        live.tail = Tail::new(up_to + 1);
        self.up_to.store(up_to, Release);
        Ok(())
    }

    /// Forgets what messages up to and with this place say.
    pub(crate) fn forget(&self, up_to: Seq) -> Result<(), IndexError> {
        let blocks = {
            let mut live = self.live.write();
            live.tail.forget(up_to);
            // A block ends where the next one begins, the last of them where the tail does.
            let ends = live.blocks.iter().skip(1).copied().chain([live.tail.first()]);
            let is_left = |(first, end): (Seq, Seq)| (end > up_to + 1).then_some(first);
            let left: Vec<Seq> =
                live.blocks.iter().copied().zip(ends).filter_map(is_left).collect();
            if live.blocks.first().is_none_or(|first| *first > up_to) {
                return Ok(());
            }
            live.blocks = Arc::new(left);
            live.blocks.clone()
        };
        let Some(file) = &*self.file.read() else { return Ok(()) };
        let first = blocks.first().copied();
        file.forget(first, first.and_then(|first| (up_to + 1).checked_sub(first)))?;
        self.bytes.store(file.bytes(), Relaxed);
        Ok(())
    }

    fn make_room(&self, seq: Seq) -> Result<(), IndexError> {
        let is_full = self.live.read().tail.is_full_for(seq);
        if is_full { self.finish_block() } else { Ok(()) }
    }

    /// Forgets what the message at this place says.
    fn remove(&self, seq: Seq) -> Result<(), IndexError> {
        let blocks = {
            let mut live = self.live.write();
            if seq >= live.tail.first() {
                live.tail.remove(seq);
                return Ok(());
            }
            live.blocks.clone()
        };
        let Some(first) = blocks.iter().rev().find(|first| **first <= seq) else { return Ok(()) };
        let place = u16::try_from(seq - first);
        match (&*self.file.read(), place) {
            (Some(file), Ok(place)) => Ok(file.remove(*first, place)?),
            _ => Ok(()),
        }
    }

    /// The tail becomes a block of the file, and another begins.
    fn finish_block(&self) -> Result<(), IndexError> {
        self.write(Block::Full)?;
        let mut live = self.live.write();
        if !live.tail.is_empty() {
            let mut blocks = live.blocks.to_vec();
            blocks.push(live.tail.first());
            live.blocks = Arc::new(blocks);
        }
        live.tail = Tail::new(live.position.up_to + 1);
        Ok(())
    }

    /// Writes what is in memory, so that the next start goes on from here.
    pub(crate) fn save(&self) -> Result<(), IndexError> {
        self.write(Block::Unfinished)
    }

    fn write(&self, block: Block) -> Result<(), IndexError> {
        // Searches go on meanwhile: nobody else changes either.
        let (live, file) = (self.live.read(), self.file.read());
        if let Some(file) = &*file {
            file.write_block(&live.tail, block, &live.position)?;
            self.bytes.store(file.bytes(), Relaxed);
        }
        Ok(())
    }

    /// Lets go of the file. With damage it is not to be opened again.
    pub(crate) fn close(&self) {
        *self.file.write() = None;
    }

    /// Begins again with nothing.
    pub(crate) fn drop_all(&self, epoch: &str) -> Result<(), IndexError> {
        self.up_to.store(0, Release);
        let mut live = self.live.write();
        let mut file = self.file.write();
        *file = None;
        let created = self.create(epoch);
        self.is_failing.store(created.is_err(), Release);
        let (fresh, Found { position, blocks, tail }) = created?;
        *live = Live { position, blocks: Arc::new(blocks), tail };
        *file = Some(fresh);
        self.is_damaged.store(false, Release);
        Ok(())
    }
}

fn candidates(first: Seq, places: &[u16]) -> Candidates {
    let seqs = places.iter().map(|place| first + u64::from(*place)).collect();
    Candidates { seqs, next: first }
}
