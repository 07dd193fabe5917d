/**
 * Two clusters whose servers were given the same names have logs that look alike: entry 1 is of term 1 in both, entry 2 of
 * term 2, and Raft compares no more than that. A server that began a cluster of its own before it was to join another, or
 * one whose cluster was set up anew while it was away, would go on in the other's log as if it were its own. So before a
 * server takes anything from a leader, the leader shows an entry that both hold, and it must be the same one.
 *
 *   - Every leader, once a term: it is asked, by an answer that says "I lack this", to send an entry again that this server
 *     holds. That costs one exchange.
 *   - A leader that the configuration does not know, and every leader of a server that alone began its cluster and never
 *     shared it: entry 1 itself, the first configuration, which no two clusters have in common. Where that is compacted
 *     the leader sends a snapshot; it is taken only by a server whose history is known to be shared, from a leader that
 *     the operator lists. Where the snapshot is older than this server's log, nothing of it is needed, and the leader is
 *     asked like every other one for what goes on behind it.
 *   - In whatever is sent: an entry that is here already, of the same term, has the same bytes.
 *
 * hashicorp/raft has nothing of this (two such logs merge there); it is done within what its leaders do by themselves.
 */
import { equalBytes } from '../base/bytes.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import type { Refusal } from '../base/result.ts';
import { refuse } from '../base/result.ts';
import type { SnapshotMeta } from './contract.ts';
import {
  ENTRY_TYPES,
  type AppendEntriesRequest,
  type AppendEntriesResponse,
  type Entry,
  type InstallSnapshotRequest,
  type Server,
  type ServerId,
} from './messages.ts';
import type { HistoryRecord } from './stored-records.ts';
import { storedEntryBytes, writeStoredEntry } from './stored-entry.ts';

/** What the history needs to know of the server, as it is when it asks. */
export interface HistoryFacts {
  /** The log, what is not durable yet included. */
  entry(index: number): Entry | undefined;
  /** Of the log, or of the snapshot where no entry is behind it. */
  lastIndex(): number;
  commitIndex(): number;
  isConfigured(id: ServerId): boolean;
  /** The servers of an entry that holds a configuration. */
  serversOf(entry: Entry): readonly Server[];
}

export type Verdict =
  | { readonly kind: 'pass' }
  /** To be answered at once, past the engine. */
  | { readonly kind: 'answer'; readonly response: AppendEntriesResponse }
  | { readonly kind: 'foreign'; readonly refusal: Refusal };

/** Entries that are looked at for one that says more than that a leader began. */
const MAX_WALK = 64;
/** So often a leader is asked to show an entry; one that does not know how may go on. */
const MAX_ASKED = 3;

/** A leader that is looked at, or was found to be of this history. */
interface Leader {
  readonly id: ServerId;
  readonly term: number;
  isKnown: boolean;
  asked: number;
  /** A snapshot that was taken from it: it cannot show what is behind that, however often it is asked. */
  hasSentSnapshot: boolean;
}

const PASS: Verdict = { kind: 'pass' };

export class History {
  readonly #facts: HistoryFacts;
  readonly #pinned: Hash | null;
  readonly #changed: (record: HistoryRecord) => void;
  #record: HistoryRecord | null;
  #foreign: Refusal | null = null;
  #leader: Leader | null = null;

  /**
   * @param pinned the history that the operator says this server is of
   * @param changed is told what is to be kept, before anything that follows from it
   */
  constructor(
    record: HistoryRecord | null,
    pinned: Hash | null,
    facts: HistoryFacts,
    changed: (record: HistoryRecord) => void,
  ) {
    this.#record = record;
    this.#pinned = pinned;
    this.#facts = facts;
    this.#changed = changed;
  }

  get record(): HistoryRecord | null {
    return this.#record;
  }

  /** Once another history has shown itself. */
  get foreign(): Refusal | null {
    return this.#foreign;
  }

  /** Whether it leads, and has shown an entry of this history. */
  isShownBy(id: ServerId): boolean {
    return this.#leader?.id === id && this.#leader.isKnown;
  }

  /** Refusal: `raft-foreign-history`, from then on for everything that this leader sends. */
  ofAppend(from: ServerId, request: AppendEntriesRequest): Verdict {
    const { entries, prevIndex, term } = request;
    if (this.#foreign?.details['from'] === from) return { kind: 'foreign', refusal: this.#foreign };
    if (this.#facts.lastIndex() === 0) return this.#begin(from, request);
    const leader = this.#leaderOf(from, term);
    const different = entries === null ? undefined : this.#differing(entries);
    if (different !== undefined) return this.#refuse(from, different);
    if (leader.isKnown) return PASS;
    if (this.#needsFirstEntry(leader)) return this.#askForFirst(leader, request);
    if (entries === null) return PASS;
    if (entries.some((entry) => this.#isShown(entry))) {
      leader.isKnown = true;
      return PASS;
    }
    return this.#askForHeld(leader, prevIndex, request);
  }

  /** Refusals: `raft-foreign-history`. */
  ofSnapshot(from: ServerId, isListed: boolean, request: InstallSnapshotRequest): Verdict {
    const { lastIndex, lastTerm, term } = request;
    if (this.#foreign?.details['from'] === from) return { kind: 'foreign', refusal: this.#foreign };
    if (this.#facts.lastIndex() === 0) return PASS;
    const isConfigured = this.#facts.isConfigured(from);
    const isShared = this.#record?.shared === true;
    const isPinned = this.#pinned !== null && this.#pinned === this.#record?.hash;
    if (isPinned || (isShared && (isListed || isConfigured))) {
      const leader = this.#leaderOf(from, term);
      // What it was asked for is behind the snapshot: to ask again would bring the same one.
      if (leader.asked > 0) leader.asked = MAX_ASKED;
      leader.hasSentSnapshot = true;
      return PASS;
    }
    // Nothing of it will be taken.
    if (isShared && this.#facts.entry(lastIndex)?.term === lastTerm) return PASS;
    // Nothing but a beginning that never came to anything: nobody was told of what would be lost.
    if (this.#facts.commitIndex() <= 1 && isConfigured) return PASS;
    const theirs = `a snapshot up to entry ${lastIndex} of term ${lastTerm}, which does not show what it goes on from`;
    return this.#refuse(from, theirs);
  }

  /** A snapshot is the state now, and the state of others too. */
  restored(snapshot: SnapshotMeta): void {
    if (this.#record === null) this.#keep(historyOfSnapshot(snapshot));
    else this.share();
  }

  /** Others hold what this server wrote: its history is theirs too. */
  share(): void {
    if (this.#record !== null && !this.#record.shared) this.#keep({ ...this.#record, shared: true });
  }

  /** Nothing is here yet: what the first leader shows is this server's history, unless the operator says another one. */
  #begin(from: ServerId, { entries, prevIndex }: AppendEntriesRequest): Verdict {
    const first = entries?.[0];
    if (prevIndex !== 0 || first?.index !== 1) return PASS;
    const record = historyOf(first, this.#facts.serversOf(first), true);
    if (this.#pinned !== null && this.#pinned !== record.hash) {
      return this.#refuse(from, `one that begins with ${record.hash}`);
    }
    this.#keep(record);
    return PASS;
  }

  #leaderOf(id: ServerId, term: number): Leader {
    if (this.#leader?.id !== id || this.#leader.term !== term) {
      this.#leader = { id, term, isKnown: false, asked: 0, hasSentSnapshot: false };
    }
    return this.#leader;
  }

  #needsFirstEntry({ hasSentSnapshot, id }: Leader): boolean {
    if (this.#record === null || this.#record.origin !== 'entry' || hasSentSnapshot) return false;
    return !this.#record.shared || !this.#facts.isConfigured(id);
  }

  #askForFirst(leader: Leader, request: AppendEntriesRequest): Verdict {
    const first = request.entries?.[0];
    if (request.prevIndex !== 0 || first?.index !== 1) return lacking(request, 0);
    const { hash } = historyOf(first, [], true);
    if (hash !== this.#record?.hash) return this.#refuse(leader.id, `one that begins with ${hash}`);
    this.share();
    leader.isKnown = true;
    return PASS;
  }

  /** The entry before those that were sent is here with the same term: so is it the same entry? */
  #askForHeld(leader: Leader, prevIndex: number, request: AppendEntriesRequest): Verdict {
    const held = this.#facts.entry(prevIndex);
    // Of another term, or not here: the engine and the leader find out where they part.
    if (held?.term !== request.prevTerm || leader.asked >= MAX_ASKED) return PASS;
    leader.asked++;
    let index = prevIndex;
    for (let walked = 0; walked < MAX_WALK; walked++) {
      const entry = this.#facts.entry(index);
      if (entry === undefined || saysSomething(entry)) break;
      index--;
    }
    if (this.#facts.entry(index) === undefined) index = prevIndex;
    return lacking(request, index - 1);
  }

  /** What the leader showed that is here already, byte for byte. */
  #isShown(entry: Entry): boolean {
    return saysSomething(entry) && this.#facts.entry(entry.index)?.term === entry.term;
  }

  /** @returns in words, the entry that is another one here */
  #differing(entries: readonly Entry[]): string | undefined {
    for (const entry of entries) {
      const own = this.#facts.entry(entry.index);
      if (own === undefined || own.term !== entry.term || isSame(own, entry)) continue;
      return `one whose entry ${entry.index} of term ${entry.term} has other contents`;
    }
    return undefined;
  }

  #refuse(from: ServerId, theirs: string): Verdict {
    const record = this.#record;
    const servers = record?.servers.map(({ address, id }) => `${id}=${address}`).join(',') ?? '';
    const own = record?.hash ?? this.#pinned ?? 'unknown';
    this.#foreign = refuse(
      'raft-foreign-history',
      `this server is of the history that begins with ${own} (${servers}), and ${from} leads another: ${theirs}`,
      { from, own, ownServers: servers, theirs },
    ).refusal;
    return { kind: 'foreign', refusal: this.#foreign };
  }

  #keep(record: HistoryRecord): void {
    this.#record = record;
    this.#changed(record);
  }
}

/** Of the first entry of a log. */
export function historyOf(first: Entry, servers: readonly Server[], shared: boolean): HistoryRecord {
  // As it is kept, without what a leader may add on the way.
  const plain: Entry = { ...first, extensions: null, appendedAt: undefined };
  const bytes = new Uint8Array(storedEntryBytes(plain));
  writeStoredEntry(plain, bytes, 0);
  return { origin: 'entry', index: first.index, term: first.term, hash: sha256Hex(bytes), servers, shared };
}

/** Of a log that began with a snapshot of others. */
export function historyOfSnapshot({ configuration, lastIndex, lastTerm }: SnapshotMeta): HistoryRecord {
  const said = JSON.stringify({ lastIndex, lastTerm, configuration });
  return {
    origin: 'snapshot',
    index: lastIndex,
    term: lastTerm,
    hash: sha256Hex(new TextEncoder().encode(said)),
    servers: configuration.configuration.servers,
    shared: true,
  };
}

/** As a follower that lacks it: the leader sends again from behind `lastIndex` on. */
function lacking({ term }: AppendEntriesRequest, lastIndex: number): Verdict {
  // The leader's own term: a server of another history must not depose it by its own.
  const response: AppendEntriesResponse = {
    kind: 'appendEntries',
    term,
    lastIndex,
    success: false,
    noRetryBackoff: true,
  };
  return { kind: 'answer', response };
}

/** That a leader began, or waited, looks the same in every log. */
function saysSomething({ type }: Entry): boolean {
  return type !== ENTRY_TYPES.noop && type !== ENTRY_TYPES.barrier;
}

/** Times of appending are not compared: versions write them in different ways. */
function isSame(own: Entry, other: Entry): boolean {
  return own.type === other.type && isSameField(own.data, other.data);
}

/** Null and empty are one: on the way through older versions one becomes the other. */
function isSameField(own: Uint8Array | null, other: Uint8Array | null): boolean {
  if (own === null || other === null) return (own?.length ?? 0) === 0 && (other?.length ?? 0) === 0;
  return equalBytes(own, other);
}
