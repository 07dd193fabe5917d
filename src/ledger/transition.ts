/**
 * `applyEvent`: the one function by which an event changes the state. Execution before a vote, replay and tests all
 * call it. It reads nothing but its arguments, and changes none of them.
 *
 * Order of judgement: the sequence (a duplicate is answered before its time is judged), the time, the event's schema, then
 * the event.
 */
import { unreachable } from '../base/assert.ts';
import { ZERO_HASH } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { BlockContext } from './block-context.ts';
import { entryChange, readEntry } from './entries.ts';
import { checkSchemaActive } from './event-schema-at.ts';
import type { Capabilities, JoinedEvent, LedgerEvent } from './event-schema.ts';
import { recordEvidence } from './evidence-entry.ts';
import { checkReach } from './invariants.ts';
import { parametersAt } from './parameters.ts';
import { approve, propose } from './quorum-actions.ts';
import { MAX_RECORD_BYTES, type NodeEntry, type NodeRecord } from './record.ts';
import { heard, joined, left } from './session.ts';
import { nodeKey, Overlay, type StateChange, type StateReader } from './state.ts';
import type { VerifiedEvent } from './verified-event.ts';

export type { BlockContext } from './block-context.ts';

/** How far an event's time and its block's may be apart. */
export const MAX_EVENT_AGE_SECONDS = 600;

/** A heartbeat sooner than this part of the liveness window is refused: 10^4 nodes then cost about 8 events/s. */
export const HEARTBEATS_PER_WINDOW = 3;

/** The refusals that a later block may not repeat; every other one is final. */
export const TRANSIENT_REFUSALS: ReadonlySet<string> = new Set(['time-ahead']);

/** The refusals that come with time alone: final once the committed chain's own time has come so far. */
export const REFUSALS_OF_TIME: ReadonlySet<string> = new Set(['expired', 'proposal-expired']);

/**
 * @returns the changes, each key once
 *
 * Refusals: `already-applied` (the same event: answer as it was answered), `superseded`, `sequence-conflict`,
 * `expired`, `time-ahead`, `schema-not-active`, `not-joined`, `heartbeat-too-soon`, `record-too-large`, and those of quorum actions and
 * evidence.
 */
export function applyEvent(
  state: StateReader,
  verified: VerifiedEvent,
  context: BlockContext,
): Result<readonly StateChange[]> {
  const { event } = verified;
  const next = signersNext(state, verified, context);
  if (!next.ok) return next;
  const own = entryChange({ ...next.value, lastSeq: event.seq, lastEventId: verified.id });
  if (!own.ok) return own;
  switch (event.type) {
    case 'proposed':
    case 'approved':
    case 'evidenceRecorded':
      return applyWithAct(state, own.value, verified, context);
    default: {
      const changes = [own.value];
      checkReach(event.peerId, undefined, changes);
      return ok(changes);
    }
  }
}

function applyWithAct(
  state: StateReader,
  own: StateChange,
  verified: VerifiedEvent,
  context: BlockContext,
): Result<readonly StateChange[]> {
  const overlay = new Overlay(state);
  overlay.set(own.key, own.value);
  const decidedAbout = act(overlay, verified, context);
  if (!decidedAbout.ok) return decidedAbout;
  const changes = overlay.changes();
  checkReach(verified.event.peerId, decidedAbout.value, changes);
  return ok(changes);
}

/** What a record holds besides what its node said, at most: peer id, times, sequence. */
const RECORD_OVERHEAD_BYTES = 512;

/**
 * Whether an event may be applied, with the refusals of `applyEvent`. What a node's own event would write is not made
 * where it cannot be too large, which takes half of the work away.
 */
export function checkApplies(state: StateReader, verified: VerifiedEvent, context: BlockContext): Result<unknown> {
  switch (verified.event.type) {
    case 'proposed':
    case 'approved':
    case 'evidenceRecorded':
      return applyEvent(state, verified, context);
    default: {
      const held = state.get(nodeKey(verified.event.peerId))?.length ?? 0;
      // Twice what the node said is more than any normal form of it.
      const most = held + 2 * verified.bytes.length + RECORD_OVERHEAD_BYTES;
      return most <= MAX_RECORD_BYTES ? signersNext(state, verified, context) : applyEvent(state, verified, context);
    }
  }
}

/** The signer's own entry after its event, but for its sequence. */
function signersNext(state: StateReader, verified: VerifiedEvent, context: BlockContext): Result<NodeEntry> {
  const { event } = verified;
  const entry = readEntry(state, event.peerId);
  const order = checkSequence(entry, verified);
  if (!order.ok) return order;
  const time = checkTime(event, context.timestamp);
  if (!time.ok) return time;
  const active = checkSchemaActive(state, verified.schema, context.height);
  if (!active.ok) return active;
  const windowSeconds = parametersAt(state, context.height).livenessWindowSeconds;
  return nextEntry(entry, event, { now: context.timestamp, windowSeconds });
}

function checkSequence(entry: NodeEntry | undefined, { event, id }: VerifiedEvent): Result<void> {
  if (entry === undefined || event.seq > entry.lastSeq) return ok(undefined);
  const numbers = { peerId: event.peerId, seq: event.seq, lastSeq: entry.lastSeq };
  if (event.seq < entry.lastSeq) return refuse('superseded', 'a later event of this node was applied', numbers);
  return id === entry.lastEventId
    ? refuse('already-applied', 'this event was applied before', numbers)
    : refuse('sequence-conflict', 'another event of this node has this sequence number', {
        ...numbers,
        applied: entry.lastEventId,
      });
}

function checkTime(event: LedgerEvent, blockTime: number): Result<void> {
  const numbers = { time: event.time, blockTime, maxSeconds: MAX_EVENT_AGE_SECONDS };
  if (blockTime > event.time + MAX_EVENT_AGE_SECONDS) return refuse('expired', 'the event is too old', numbers);
  if (blockTime < event.time - MAX_EVENT_AGE_SECONDS) return refuse('time-ahead', "the event's time is ahead", numbers);
  return ok(undefined);
}

interface Moment {
  /** Block time, unix seconds. */
  readonly now: number;
  readonly windowSeconds: number;
}

function nextEntry(entry: NodeEntry | undefined, event: LedgerEvent, moment: Moment): Result<NodeEntry> {
  const { now, windowSeconds } = moment;
  const record = entry?.kind === 'record' ? entry : undefined;
  switch (event.type) {
    case 'joined':
      return ok(record === undefined ? firstRecord(event, now) : rejoined(record, event, moment));
    case 'proposed':
    case 'approved':
    case 'evidenceRecorded':
      // A validator need not be a node of the ledger; its events are numbered all the same.
      return ok(record === undefined ? absent(event) : heard(record, now, windowSeconds));
    default:
      return record?.activity === 'joined'
        ? changeOf(record, event, moment)
        : refuse('not-joined', 'the node has not joined, or has left: it sends `joined` first', {
            peerId: event.peerId,
            type: event.type,
          });
  }
}

function absent({ peerId, seq }: LedgerEvent): NodeEntry {
  return { kind: 'absent', peerId, lastSeq: seq, lastEventId: ZERO_HASH };
}

function firstRecord(event: JoinedEvent, now: number): NodeRecord {
  return {
    kind: 'record',
    peerId: event.peerId,
    origin: 'event',
    multiaddrs: event.multiaddrs,
    version: event.version,
    ...capabilitiesOf(event),
    stake: null,
    activity: 'joined',
    firstJoined: now,
    lastJoined: now,
    lastLeft: 0,
    lastHeard: now,
    lastUpdated: now,
    closedUptimeNs: 0n,
    workerTimeoutNs: null,
    lastSeq: event.seq,
    lastEventId: ZERO_HASH,
  };
}

function rejoined(record: NodeRecord, event: JoinedEvent, { now, windowSeconds }: Moment): NodeRecord {
  const { isDiscordScraper, isLlmServer, isTelegramScraper, isTwitterScraper, isWebScraper, multiaddrs, version } =
    event;
  return {
    ...joined(record, now, windowSeconds),
    multiaddrs,
    version,
    isTwitterScraper,
    isDiscordScraper,
    isTelegramScraper,
    isWebScraper,
    isLlmServer,
  };
}

type ChangeOfRecord = Exclude<LedgerEvent, { type: 'joined' | 'proposed' | 'approved' | 'evidenceRecorded' }>;

function changeOf(record: NodeRecord, event: ChangeOfRecord, { now, windowSeconds }: Moment): Result<NodeRecord> {
  const seen = heard(record, now, windowSeconds);
  switch (event.type) {
    case 'left':
      return ok(left(record, now, windowSeconds));
    case 'heartbeat': {
      const pace = checkPace(record, now, windowSeconds);
      return pace.ok ? ok(seen) : pace;
    }
    case 'addressesChanged':
      return ok({ ...seen, multiaddrs: event.multiaddrs });
    case 'capabilitiesDeclared':
      return ok({ ...seen, ...capabilitiesOf(event) });
    case 'versionChanged':
      return ok({ ...seen, version: event.version });
    default:
      return unreachable(event);
  }
}

function checkPace(record: NodeRecord, now: number, windowSeconds: number): Result<void> {
  const notBefore = record.lastHeard + Math.floor(windowSeconds / HEARTBEATS_PER_WINDOW);
  if (now >= notBefore) return ok(undefined);
  return refuse('heartbeat-too-soon', 'a heartbeat comes at the earliest a third of the liveness window after news', {
    peerId: record.peerId,
    blockTime: now,
    notBefore,
  });
}

function capabilitiesOf({
  isTwitterScraper,
  isDiscordScraper,
  isTelegramScraper,
  isWebScraper,
  isLlmServer,
}: Capabilities): Capabilities {
  return { isTwitterScraper, isDiscordScraper, isTelegramScraper, isWebScraper, isLlmServer };
}

/** What an event does beyond its signer's own entry. @returns whose record a decided action changed */
function act(overlay: Overlay, { event, id }: VerifiedEvent, context: BlockContext): Result<string | undefined> {
  switch (event.type) {
    case 'proposed':
      return propose(overlay, event, id, context);
    case 'approved':
      return approve(overlay, event, context);
    case 'evidenceRecorded': {
      const recorded = recordEvidence(overlay, event, id, context);
      return recorded.ok ? ok(undefined) : recorded;
    }
    default:
      return ok(undefined);
  }
}
