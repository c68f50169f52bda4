//! A storage in memory that fails as a disk does, by a seed.
//!
//! It counts every call, fails or crashes at one that is chosen, and gives the images that a crash may leave. Files have
//! what was synced and what was written since; names have what the directory had at its last sync and what was done since.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use parking_lot::Mutex;
use quotagate::journal::{Storage, Stored, StoredFile};

use super::content::{Content, Edit, edit, lossy};
use super::dice::Dice;

/// Calls that may fail one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Create,
    Rename,
    Remove,
    SyncDir,
    Write,
    Allocate,
    Sync,
    Truncate,
    Read,
}

/// What happens at a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The call does a part of what it should, and fails; later ones work.
    Fails(ErrorKind),
    /// Nothing works any more: the call in flight may have done a part.
    Crash,
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// All that was written is there.
    Kill,
    /// What was not synced may be there, or not, or in part.
    PowerLoss,
}

/// A change of the directory that has not been synced.
#[derive(Clone, Debug)]
enum Naming {
    Create(String, Arc<Mutex<Content>>),
    Rename(String, String, Arc<Mutex<Content>>),
    Remove(String, Arc<Mutex<Content>>),
}

type Names = BTreeMap<String, Arc<Mutex<Content>>>;

#[derive(Debug, Default)]
struct Directory {
    synced: Names,
    namings: Vec<Naming>,
    now: Names,
}

#[derive(Debug)]
struct Plan {
    calls: Vec<Call>,
    trouble: Option<(usize, Trouble)>,
    has_crashed: bool,
    has_no_more_files: bool,
    /// Bytes that all files may have.
    room: Option<u64>,
    dice: Dice,
}

/// What others do while a call takes its time.
type Meanwhile = Box<dyn FnMut() + Send>;

/// During which calls others do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum During {
    Syncs,
    /// Writes, too.
    Changes,
}

/// The storage. Clones are the same one.
#[derive(Clone)]
pub struct Faulty {
    meanwhile: Arc<Mutex<Option<(During, Meanwhile)>>>,
    directory: Arc<Mutex<Directory>>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug)]
struct File {
    content: Arc<Mutex<Content>>,
    storage: Faulty,
    can_change: bool,
}

fn name(names: &mut Names, naming: &Naming) {
    match naming {
        Naming::Create(name, content) => {
            names.insert(name.clone(), Arc::clone(content));
        }
        Naming::Rename(from, to, content) => {
            unname(names, from, content);
            names.insert(to.clone(), Arc::clone(content));
        }
        Naming::Remove(name, content) => unname(names, name, content),
    }
}

/// Takes a name from a file, if it is that file's: a disk knows files, not what they were called.
fn unname(names: &mut Names, name: &str, content: &Arc<Mutex<Content>>) {
    if names.get(name).is_some_and(|it| Arc::ptr_eq(it, content)) {
        names.remove(name);
    }
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Faulty({} calls)", self.plan.lock().calls.len())
    }
}

impl Faulty {
    pub fn new(seed: u64) -> Self {
        Self::with(Names::new(), seed)
    }

    fn with(files: Names, seed: u64) -> Self {
        let directory = Directory {
            synced: files.clone(),
            namings: Vec::new(),
            now: files,
        };
        let plan = Plan {
            calls: Vec::new(),
            trouble: None,
            has_crashed: false,
            room: None,
            has_no_more_files: false,
            dice: Dice(seed),
        };
        Self {
            directory: Arc::new(Mutex::new(directory)),
            plan: Arc::new(Mutex::new(plan)),
            meanwhile: Arc::default(),
        }
    }

    /// The same as a storage.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    /// Troubles a call to come, by how many calls there have been before it.
    pub fn trouble(&self, call: usize, trouble: Trouble) {
        self.plan.lock().trouble = Some((call, trouble));
    }

    /// Calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.plan.lock().calls.clone()
    }

    pub fn has_crashed(&self) -> bool {
        self.plan.lock().has_crashed
    }

    /// Has something done by others during each sync.
    pub fn meanwhile(&self, done: Option<Meanwhile>) {
        *self.meanwhile.lock() = done.map(|done| (During::Syncs, done));
    }

    /// Has something done by others during each sync and each write, whichever locks the caller holds then.
    pub fn throughout(&self, done: Meanwhile) {
        *self.meanwhile.lock() = Some((During::Changes, done));
    }

    fn others(&self, now: During) {
        let others = {
            let mut meanwhile = self.meanwhile.lock();
            meanwhile.take_if(|(during, _)| now == During::Syncs || *during == now)
        };
        if let Some((during, mut others)) = others {
            if !self.has_crashed() {
                others();
            }
            *self.meanwhile.lock() = Some((during, others));
        }
    }

    /// Bounds what all files may have together.
    pub fn room(&self, bytes: Option<u64>) {
        self.plan.lock().room = bytes;
    }

    /// Refuses new files.
    pub fn no_more_files(&self, refused: bool) {
        self.plan.lock().has_no_more_files = refused;
    }

    /// What all files have.
    pub fn bytes(&self) -> u64 {
        let directory = self.directory.lock();
        let lengths = directory
            .now
            .values()
            .map(|file| file.lock().now.len() as u64);
        lengths.sum()
    }

    /// A file as it is now.
    pub fn content(&self, name: &str) -> Vec<u8> {
        self.directory.lock().now[name].lock().now.clone()
    }

    /// Gives a file another content, durably.
    pub fn put(&self, name: &str, content: &[u8]) {
        let content = Arc::new(Mutex::new(Content::durable(content.to_vec())));
        let mut directory = self.directory.lock();
        directory.now.insert(name.to_owned(), Arc::clone(&content));
        directory.synced.insert(name.to_owned(), content);
    }

    /// What is there after the process has ended like that.
    pub fn after(&self, end: End, dice: &mut Dice) -> Self {
        match end {
            End::Kill => self.after_kill(dice),
            End::PowerLoss => self.after_power_loss(dice),
        }
    }

    /// All is as it was, and what was not synced may still be lost.
    fn after_kill(&self, dice: &mut Dice) -> Self {
        let directory = self.directory.lock();
        let mut copies = Vec::new();
        let mut copy = |content: &Arc<Mutex<Content>>| {
            let known = copies.iter().find(|(of, _)| Arc::ptr_eq(of, content));
            if let Some((_, copy)) = known {
                return Arc::clone(copy);
            }
            let copy = Arc::new(Mutex::new(content.lock().after_kill(dice)));
            copies.push((Arc::clone(content), Arc::clone(&copy)));
            copy
        };
        let mut names = |names: &Names| -> Names {
            let copies = names.iter().map(|(name, it)| (name.clone(), copy(it)));
            copies.collect()
        };
        let (synced, now) = (names(&directory.synced), names(&directory.now));
        let mut namings = directory.namings.clone();
        for naming in &mut namings {
            match naming {
                Naming::Create(_, content)
                | Naming::Rename(.., content)
                | Naming::Remove(_, content) => *content = copy(content),
            }
        }
        let copy = Directory {
            synced,
            namings,
            now,
        };
        let after = Self::new(dice.roll());
        *after.directory.lock() = copy;
        after
    }

    fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let directory = self.directory.lock();
        let mut names = directory.synced.clone();
        // What a directory has done since its last sync may be undone, each for itself or all from some point on.
        let ordered = dice.below(directory.namings.len() + 1);
        let in_order = dice.one_in(2);
        for (at, naming) in directory.namings.iter().enumerate() {
            let is_kept = if in_order {
                at < ordered
            } else {
                dice.one_in(2)
            };
            if is_kept {
                name(&mut names, naming);
            }
        }
        let mut files = Names::new();
        for (name, content) in &names {
            let left = Content::durable(lossy(&content.lock(), dice));
            files.insert(name.clone(), Arc::new(Mutex::new(left)));
        }
        Self::with(files, dice.roll())
    }

    /// Counts a call: goes on, or says how much of it is done before it fails.
    fn call(&self, call: Call) -> Result<(), (io::Error, Dice)> {
        let mut plan = self.plan.lock();
        if plan.has_crashed {
            return Err((io::Error::other("crashed"), Dice(0)));
        }
        let number = plan.calls.len();
        plan.calls.push(call);
        match plan.trouble {
            Some((at, trouble)) if at == number => {
                let dice = Dice(plan.dice.roll());
                let error = match trouble {
                    Trouble::Fails(kind) => kind.into(),
                    Trouble::Crash => {
                        plan.has_crashed = true;
                        io::Error::other("crashed")
                    }
                };
                Err((error, dice))
            }
            _ => Ok(()),
        }
    }

    fn naming(&self, call: Call, naming: Naming) -> io::Result<()> {
        let called = self.call(call);
        let is_done = match &called {
            Ok(()) => true,
            Err((_, dice)) => dice.0 != 0 && dice.clone().one_in(2),
        };
        if is_done {
            let mut directory = self.directory.lock();
            name(&mut directory.now, &naming);
            directory.namings.push(naming);
        }
        called.map_err(|(error, _)| error)
    }

    fn has_room(&self, more: u64) -> io::Result<()> {
        let room = self.plan.lock().room;
        match room {
            Some(room) if self.bytes() + more > room => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn content_of(&self, name: &str) -> io::Result<Arc<Mutex<Content>>> {
        let found = self.directory.lock().now.get(name).cloned();
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn find(&self, name: &str, can_change: bool) -> io::Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(File {
            content: self.content_of(name)?,
            storage: self.clone(),
            can_change,
        }))
    }
}

impl Storage for Faulty {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        if self.directory.lock().now.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if self.plan.lock().has_no_more_files {
            return Err(ErrorKind::StorageFull.into());
        }
        let naming = Naming::Create(name.to_owned(), Arc::default());
        self.naming(Call::Create, naming)?;
        self.find(name, true)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.find(name, false)
    }

    fn open_to_change(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.find(name, true)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let content = self.content_of(from)?;
        let naming = Naming::Rename(from.to_owned(), to.to_owned(), content);
        self.naming(Call::Rename, naming)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let content = self.content_of(name)?;
        self.naming(Call::Remove, Naming::Remove(name.to_owned(), content))
    }

    fn list(&self) -> io::Result<Vec<Stored>> {
        let directory = self.directory.lock();
        let files = directory.now.iter().map(|(name, content)| Stored {
            name: name.clone(),
            bytes: content.lock().now.len() as u64,
        });
        Ok(files.collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.others(During::Syncs);
        self.call(Call::SyncDir).map_err(|(error, _)| error)?;
        let mut directory = self.directory.lock();
        directory.synced = directory.now.clone();
        directory.namings.clear();
        Ok(())
    }

    /// Files that are written from end to end take many calls, so that they can be troubled in the middle.
    fn piece_bytes(&self) -> usize {
        64
    }
}

impl File {
    /// Does it, or a part of it and fails.
    fn change(&self, call: Call, whole: Edit) -> io::Result<()> {
        assert!(self.can_change, "opened to be read");
        let called = self.storage.call(call);
        let part = match (&called, whole) {
            (Ok(()), whole) => Some(whole),
            (Err((_, Dice(0))), _) => None,
            (Err((_, dice)), Edit::Write(at, bytes)) => {
                let kept = dice.clone().below(bytes.len() + 1);
                Some(Edit::Write(at, bytes[..kept].to_vec()))
            }
            (Err((_, dice)), whole) => dice.clone().one_in(2).then_some(whole),
        };
        if let Some(part) = part {
            let mut content = self.content.lock();
            edit(&mut content.now, &part);
            content.edits.push(part);
        }
        called.map_err(|(error, _)| error)
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("files of tests are small")
}

impl StoredFile for File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.others(During::Changes);
        let end = offset + bytes.len() as u64;
        let more = end.saturating_sub(self.content.lock().now.len() as u64);
        self.storage.has_room(more)?;
        self.change(Call::Write, Edit::Write(small(offset), bytes.to_vec()))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.storage.call(Call::Read).map_err(|(error, _)| error)?;
        let content = self.content.lock();
        let from = content.now.get(small(offset)..).unwrap_or_default();
        let read = from.len().min(into.len());
        into[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let length = small(offset + bytes).max(self.content.lock().now.len());
        let more = length - self.content.lock().now.len();
        self.storage.has_room(more as u64)?;
        self.change(Call::Allocate, Edit::Length(length))
    }

    fn sync(&self) -> io::Result<()> {
        let has_failed = self.content.lock().has_failed_to_sync;
        assert!(!has_failed, "a sync that has failed is tried again");
        // What is written meanwhile may be on the disk or not.
        let begun = self.content.lock().edits.len();
        self.storage.others(During::Syncs);
        let called = self.storage.call(Call::Sync);
        let mut content = self.content.lock();
        if called.is_err() && !self.storage.has_crashed() {
            // As the kernel does it: the pages count as clean, and later syncs say that all is well.
            content.has_failed_to_sync = true;
        }
        if called.is_ok() {
            let Content { synced, edits, .. } = &mut *content;
            edits.drain(..begun).for_each(|done| edit(synced, &done));
        }
        called.map_err(|(error, _)| error)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.change(Call::Truncate, Edit::Length(small(bytes)))
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.content.lock().now.len() as u64)
    }
}
