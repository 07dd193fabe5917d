/**
 * `node-history`: what happened to each node, with heights and times. It holds what it tells, so that it stays when the
 * blocks are pruned.
 *
 *     n 0 peer id                       where the node stands, and its heartbeats since its last other entry
 *     e 0 peer id 0 height index        an entry (`history-entry.ts`); both big-endian
 *     p 0 proposal                      an open proposal to remove a node: its reason
 *
 * Heartbeats are counted in the node's own row, and become one entry when something else happens: there are never more
 * than twice as many rows as other entries, and a heartbeat costs one small row, written again.
 */
import { codec, hash, nullable, struct, text, uint, uint64 } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import type { BlockHeader } from '../ledger/block.ts';
import type { LedgerEvent, SignedEvent } from '../ledger/event.ts';
import { MAX_REASON_LENGTH } from '../ledger/event-fields.ts';
import { MAX_PEER_ID_LENGTH } from '../ledger/identity.ts';
import { decodeOwnEntry } from '../ledger/known-entries.ts';
import { fromBigEndian } from '../ledger/layout.ts';
import { proposalCodec } from '../ledger/quorum-actions.ts';
import { NANOSECONDS, type NodeEntry, type NodeRecord } from '../ledger/record.ts';
import { NODE_KEY_PREFIX, PROPOSAL_KEY_PREFIX } from '../ledger/state.ts';
import { entryCodec, type Heard, type HistoryEntry, type HistoryFact, type HistoryPosition } from './history-entry.ts';
import { capabilitiesOf } from './node-data.ts';
import type { ProjectedBlock, Projection, ProjectionReader, RowOperation, RowReader } from './projection.ts';
import { numberInKey, rangeUnder, rowKey, rowKeyBytes, type RowKey } from './row-key.ts';
import { decodeRow } from './rows.ts';

/** Heartbeats that are not an entry yet, with the position and time of the first. */
interface HeardSince extends Omit<Heard, 'kind'>, HistoryPosition {
  readonly time: number;
}

/** Where a node stands. */
interface NodeRow {
  /** Null of a node without a record. */
  readonly firstJoined: number | null;
  /** When the stake that was told last was attested, unix seconds, and by which proposal. */
  readonly stakedAt: number | null;
  readonly stakedBy: Hash | null;
  readonly workerTimeoutNs: bigint | null;
  /** Of the last entry or heartbeat, unix seconds. */
  readonly lastTime: number;
  readonly heard: HeardSince | null;
}

interface Removal {
  readonly peerId: string;
  readonly reason: string;
}

const nodeRowCodec = codec(
  struct<NodeRow>({
    firstJoined: nullable(uint()),
    stakedAt: nullable(uint()),
    stakedBy: nullable(hash),
    workerTimeoutNs: nullable(uint64),
    lastTime: uint(),
    heard: nullable(
      struct<HeardSince>({
        height: uint(),
        index: uint(),
        time: uint(),
        count: uint(),
        untilHeight: uint(),
        untilTime: uint(),
        longestSilence: uint(),
      }),
    ),
  }),
  512,
);

const removalCodec = codec(struct<Removal>({ peerId: text(MAX_PEER_ID_LENGTH), reason: text(MAX_REASON_LENGTH) }), 512);

const nodeRowKey = (peerId: string) => rowKey('n\0', peerId);
const entriesOf = (peerId: string) => rowKey('e\0', peerId, '\0');
const removalKey = (proposal: string) => rowKey('p\0', proposal);

export const nodeHistory: Projection = {
  name: 'node-history',
  version: 1,
  apply: (block: ProjectedBlock, view: RowReader): readonly RowOperation[] =>
    new BlockHistory(block, view).operations(),
};

const NOBODY: NodeRow = {
  firstJoined: null,
  stakedAt: null,
  stakedBy: null,
  workerTimeoutNs: null,
  lastTime: 0,
  heard: null,
};

/** A node that a block is about. */
interface Subject {
  readonly peerId: string;
  /** After the block; undefined: the block did not change it. */
  after: NodeEntry | undefined;
  /** The state held nothing of it before the block, and the rows hold nothing either: to look for one takes 5 us. */
  isNew: boolean;
  isJoining: boolean;
  told: Told | null;
}

/** A node while its part of a block is told. */
interface Told {
  readonly subject: Subject;
  row: NodeRow;
  /** Its next entry of this height. */
  index: number;
}

/** What one block did to the nodes that it is about. */
class BlockHistory {
  readonly #block: ProjectedBlock;
  readonly #header: BlockHeader;
  readonly #view: RowReader;
  readonly #operations: RowOperation[] = [];
  readonly #subjects = new Map<string, Subject>();
  readonly #told: Told[] = [];
  /** Proposals to remove a node that this block made or decided. */
  readonly #removals = new Map<string, Removal>();

  constructor(block: ProjectedBlock, view: RowReader) {
    this.#block = block;
    this.#header = block.header;
    this.#view = view;
  }

  operations(): readonly RowOperation[] {
    const { changes, events } = this.#block;
    for (const { event } of events) if (event.type === 'joined') this.#subject(event.peerId).isJoining = true;
    for (const change of changes) {
      const { key, value } = change;
      if (key.startsWith(PROPOSAL_KEY_PREFIX)) this.#proposal(key.slice(PROPOSAL_KEY_PREFIX.length), value);
      if (value === undefined || !key.startsWith(NODE_KEY_PREFIX)) continue;
      const peerId = key.slice(NODE_KEY_PREFIX.length);
      const subject = this.#subject(peerId);
      subject.after = decodeOwnEntry(value);
      subject.isNew = 'before' in change && change.before === undefined;
    }
    for (const event of events) this.#event(event);
    for (const subject of this.#subjects.values())
      if (subject.after !== undefined) this.#decided(subject, subject.after);
    for (const { row, subject } of this.#told) {
      this.#operations.push({ kind: 'put', key: nodeRowKey(subject.peerId), value: nodeRowCodec.encode(row) });
    }
    return this.#operations;
  }

  #subject(peerId: string): Subject {
    const known = this.#subjects.get(peerId);
    if (known !== undefined) return known;
    const subject: Subject = { peerId, after: undefined, isNew: false, isJoining: false, told: null };
    this.#subjects.set(peerId, subject);
    return subject;
  }

  /** Keeps what a proposal says until it is decided or cleared away: the state forgets it then. */
  #proposal(id: string, value: Uint8Array | undefined): void {
    const key = removalKey(id);
    if (value === undefined) {
      const kept = this.#view.get(key);
      if (kept === undefined) return;
      this.#removals.set(id, decodeRow(removalCodec, kept));
      this.#operations.push({ kind: 'delete', key });
      return;
    }
    const { action } = proposalCodec.decodeOwn(value);
    if (action.kind !== 'nodeRemoved') return;
    const { peerId, reason } = action;
    this.#operations.push({ kind: 'put', key, value: removalCodec.encode({ peerId, reason }) });
  }

  #event({ event, id }: SignedEvent): void {
    const { seq } = event;
    const told = this.#of(this.#subject(event.peerId));
    switch (event.type) {
      case 'joined': {
        const { firstJoined } = told.row;
        const { after } = told.subject;
        const isAnew = after?.kind === 'record' && after.firstJoined !== firstJoined;
        if (firstJoined !== null && isAnew) this.#removed(told);
        this.#tell(told, { kind: 'joined', event: id, seq, ...announced(event) });
        told.row = { ...told.row, firstJoined: told.row.firstJoined ?? this.#header.timestamp };
        break;
      }
      case 'left':
        this.#tell(told, { kind: 'left', event: id, seq });
        break;
      case 'addressesChanged':
        this.#tell(told, { kind: 'addressesChanged', event: id, seq, multiaddrs: event.multiaddrs });
        break;
      case 'capabilitiesDeclared':
        this.#tell(told, { kind: 'capabilitiesDeclared', event: id, seq, capabilities: capabilitiesOf(event) });
        break;
      case 'versionChanged':
        this.#tell(told, { kind: 'versionChanged', event: id, seq, version: event.version });
        break;
      default:
        if (event.type === 'proposed' && event.action.kind === 'nodeRemoved') this.#removals.set(id, event.action);
        // A validator need not be a node of the ledger.
        if (told.row.firstJoined !== null) this.#heard(told);
    }
  }

  /** What no event of the node said: validators decided it, or the ledger began with it. */
  #decided(subject: Subject, entry: NodeEntry): void {
    const told = this.#of(subject);
    if (entry.kind === 'absent') {
      if (told.row.firstJoined !== null) this.#removed(told);
      return;
    }
    const { stake, workerTimeoutNs } = entry;
    if (stake !== null && (stake.attestedAt !== told.row.stakedAt || stake.proposal !== told.row.stakedBy)) {
      const { attestedAt, isStaked, proposal, reference } = stake;
      this.#tell(told, { kind: 'stakeChanged', isStaked, reference, proposal });
      told.row = { ...told.row, stakedAt: attestedAt, stakedBy: proposal };
    }
    if (workerTimeoutNs !== told.row.workerTimeoutNs) {
      const workerTimeout = workerTimeoutNs === null ? null : Number(workerTimeoutNs / NANOSECONDS);
      this.#tell(told, { kind: 'workerTimeoutSet', workerTimeout });
      told.row = { ...told.row, workerTimeoutNs };
    }
  }

  #removed(told: Told): void {
    const [proposal, removal] = [...this.#removals].find(([, { peerId }]) => peerId === told.subject.peerId) ?? [];
    this.#tell(told, {
      kind: 'removed',
      proposal: (proposal ?? null) as Hash | null,
      reason: removal?.reason ?? null,
    });
    told.row = { ...NOBODY, lastTime: told.row.lastTime };
  }

  #of(subject: Subject): Told {
    if (subject.told !== null) return subject.told;
    const { after, isJoining, isNew, peerId } = subject;
    const row = isNew ? undefined : this.#view.get(nodeRowKey(peerId));
    const told: Told = { subject, row: row === undefined ? NOBODY : decodeRow(nodeRowCodec, row), index: 0 };
    subject.told = told;
    this.#told.push(told);
    // A record that no event made is known from where the history begins.
    if (row === undefined && after?.kind === 'record' && !isJoining) this.#found(told, after);
    return told;
  }

  #found(told: Told, record: NodeRecord): void {
    const { activity, firstJoined, origin, stake, workerTimeoutNs } = record;
    const kind = origin === 'import' && this.#header.height === 0 ? 'imported' : 'carried';
    this.#tell(told, { kind, ...announced(record), activity, isStaked: stake?.isStaked ?? false });
    const { attestedAt: stakedAt = null, proposal: stakedBy = null } = stake ?? {};
    told.row = { ...told.row, firstJoined, stakedAt, stakedBy, workerTimeoutNs };
  }

  #heard(told: Told): void {
    const { height, timestamp } = this.#header;
    const { heard, lastTime } = told.row;
    const longestSilence = Math.max(heard?.longestSilence ?? 0, timestamp - lastTime);
    const begun = heard ?? { height, index: told.index++, time: timestamp, count: 0 };
    const since = { ...begun, count: begun.count + 1, untilHeight: height, untilTime: timestamp, longestSilence };
    told.row = { ...told.row, heard: since, lastTime: timestamp };
  }

  #tell(told: Told, fact: HistoryFact): void {
    const { height, timestamp } = this.#header;
    const { peerId } = told.subject;
    const { heard } = told.row;
    if (heard !== null) this.#operations.push(entryOp(peerId, entryOfHeard(heard)));
    this.#operations.push(entryOp(peerId, { height, index: told.index++, time: timestamp, fact }));
    told.row = { ...told.row, heard: null, lastTime: timestamp };
  }
}

function announced(of: Extract<LedgerEvent, { type: 'joined' }> | NodeRecord) {
  const { multiaddrs, version } = of;
  return { capabilities: capabilitiesOf(of), multiaddrs, version };
}

function entryOp(peerId: string, { fact, time, ...position }: HistoryEntry): RowOperation {
  return { kind: 'put', key: entryKey(peerId, position), value: entryCodec.encode({ time, fact }) };
}

function entryKey(peerId: string, { height, index }: HistoryPosition): RowKey {
  return rowKey('e\0', peerId, '\0', numberInKey(height), numberInKey(index));
}

function entryOfHeard({ height, index, time, ...heard }: HeardSince): HistoryEntry {
  return { height, index, time, fact: { kind: 'heard', ...heard } };
}

export const MAX_HISTORY_PAGE = 1_000;

export interface HistoryPage {
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  /** What to ask for the page after this one with; null: there is none. */
  readonly next: HistoryPosition | null;
}

export interface HistoryQuery {
  /** Entries before this position; left out: from the newest on. */
  readonly before?: HistoryPosition;
  /** At most `MAX_HISTORY_PAGE`. */
  readonly limit: number;
}

/**
 * One page. Entries are only ever added before the first page, so that pages that follow each other are complete and
 * without repetition, whatever happens meanwhile; the count of heartbeats alone may grow.
 */
export async function historyOf(reader: ProjectionReader, peerId: string, query: HistoryQuery): Promise<HistoryPage> {
  const limit = Math.min(query.limit, MAX_HISTORY_PAGE);
  const row = reader.get(nodeRowKey(peerId));
  const heard = row === undefined ? null : decodeRow(nodeRowCodec, row).heard;
  const { before } = query;
  const entries: HistoryEntry[] = [];
  let end = before;
  if (heard !== null && (before === undefined || isBefore(heard, before))) {
    entries.push(entryOfHeard(heard));
    // It may become an entry at this moment: then it is there twice.
    end = heard;
  }
  const range = rangeUnder(entriesOf(peerId));
  const lt = end === undefined ? range.lt : rowKeyBytes(entryKey(peerId, end));
  const prefixLength = range.gte.length;
  for await (const [key, value] of reader.entries({ gte: range.gte, lt, reverse: true, limit: limit + 1 })) {
    const position = key.subarray(prefixLength);
    const [height, index] = [fromBigEndian(position), fromBigEndian(position.subarray(8))];
    entries.push({ height, index, ...decodeRow(entryCodec, value) });
  }
  const page = entries.slice(0, limit);
  const last = entries.length > limit ? page.at(-1) : undefined;
  return { entries: page, next: last === undefined ? null : { height: last.height, index: last.index } };
}

function isBefore(one: HistoryPosition, other: HistoryPosition): boolean {
  return one.height < other.height || (one.height === other.height && one.index < other.index);
}
