//! Questions asked once: a locator or a layer behind a cache that all workers share.

use super::lru::Lru;
use super::{Answer, GeoError, Locator, Question};
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How often a cache was asked, and how often it knew.
#[derive(Debug, Default)]
pub struct Counts {
    asked: AtomicU64,
    known: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, asked: usize, known: usize) {
        self.asked.fetch_add(asked as u64, Ordering::Relaxed);
        self.known.fetch_add(known as u64, Ordering::Relaxed);
    }

    /// Questions, and those of them that were answered from memory.
    pub fn get(&self) -> (u64, u64) {
        (self.asked.load(Ordering::Relaxed), self.known.load(Ordering::Relaxed))
    }
}

/// A question that can be kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kept {
    county: Option<u8>,
    id: Option<Box<str>>,
    zip: Option<Box<str>>,
}

/// A locator that is asked each question once, as long as its answer is remembered: also the questions
/// of one call are first made different from each other.
pub struct Cached<L> {
    inner: L,
    known: Mutex<Lru<Kept, Answer>>,
    /// How it goes.
    pub counts: Counts,
}

impl<L: Locator> Cached<L> {
    /// Remembers so many answers.
    pub fn new(inner: L, answers: usize) -> Self {
        Self { inner, known: Mutex::new(Lru::new(answers)), counts: Counts::default() }
    }
}

impl<L: Locator> Locator for Cached<L> {
    fn locate(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>, GeoError> {
        let keep = |text: Option<&str>| text.map(Into::into);
        let kept = |question: &Question<'_>| Kept {
            county: question.county,
            id: keep(question.id),
            zip: keep(question.zip),
        };
        let mut answers: Vec<Option<Answer>> = vec![None; questions.len()];
        let mut open: Vec<Question<'_>> = Vec::new();
        let mut waiting: HashMap<Question<'_>, Vec<usize>> = HashMap::new();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for (at, question) in questions.iter().enumerate() {
                answers[at] = known.get(&kept(question));
                if answers[at].is_none() {
                    let rows = waiting.entry(*question).or_insert_with(|| {
                        open.push(*question);
                        Vec::new()
                    });
                    rows.push(at);
                }
            }
        }
        self.counts.add(questions.len(), questions.len() - open.len());
        let found = self.inner.locate(&open)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (question, answer) in open.iter().zip(found) {
            known.put(kept(question), answer);
            for at in &waiting[question] {
                answers[*at] = Some(answer);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}
