/**
 * What the state holds of a node, under `node/<peer id>`: its record, or, when it has none (removed, or a validator
 * that never joined), only its sequence, so that its old events can never be replayed.
 */
import { alternatives, bool, codec, hash, list, nullable, oneOf, struct, text, uint, uint64 } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import type { Capabilities } from './event-schema.ts';
import { MAX_PEER_ID_LENGTH } from './identity.ts';
import { MAX_ADDRESSES, MAX_ADDRESS_LENGTH } from './multiaddrs.ts';

export const MAX_RECORD_BYTES = 4096;
export const MAX_VERSION_LENGTH = 64;
export const MAX_REFERENCE_LENGTH = 128;

export interface StakeAttestation {
  readonly isStaked: boolean;
  /** Block time of the decision, unix seconds. */
  readonly attestedAt: number;
  /** The proposal that a quorum approved; null for a genesis import. */
  readonly proposal: Hash | null;
  /** By what it was attested. */
  readonly reference: string;
}

export interface NodeRecord extends Capabilities {
  readonly kind: 'record';
  readonly peerId: string;
  /** A verified self-signed event, or the genesis import: there is no third way into the state. */
  readonly origin: 'event' | 'import';
  /** Normalised, sorted. */
  readonly multiaddrs: readonly string[];
  readonly version: string;
  /** null: never attested. */
  readonly stake: StakeAttestation | null;
  readonly activity: 'joined' | 'left';
  /** Block times, unix seconds; `lastLeft` is 0 for a node that never left. */
  readonly firstJoined: number;
  readonly lastJoined: number;
  readonly lastLeft: number;
  readonly lastHeard: number;
  readonly lastUpdated: number;
  /** Nanoseconds of all closed sessions. */
  readonly closedUptimeNs: bigint;
  /** Unix nanoseconds; null: none. */
  readonly workerTimeoutNs: bigint | null;
  readonly lastSeq: number;
  readonly lastEventId: Hash;
}

/** No record, but a sequence that goes on. */
export interface AbsentNode {
  readonly kind: 'absent';
  readonly peerId: string;
  readonly lastSeq: number;
  readonly lastEventId: Hash;
}

export type NodeEntry = NodeRecord | AbsentNode;

export const NANOSECONDS = 1_000_000_000n;

const stakeShape = struct<StakeAttestation>({
  isStaked: bool,
  attestedAt: uint(),
  proposal: nullable(hash),
  reference: text(MAX_REFERENCE_LENGTH),
});

const recordShape = struct<Omit<NodeRecord, 'kind' | 'isLlmServer'>>({
  peerId: text(MAX_PEER_ID_LENGTH),
  origin: oneOf(['event', 'import']),
  multiaddrs: list(text(MAX_ADDRESS_LENGTH), MAX_ADDRESSES),
  version: text(MAX_VERSION_LENGTH),
  isTwitterScraper: bool,
  isDiscordScraper: bool,
  isTelegramScraper: bool,
  isWebScraper: bool,
  stake: nullable(stakeShape),
  activity: oneOf(['joined', 'left']),
  firstJoined: uint(),
  lastJoined: uint(),
  lastLeft: uint(),
  lastHeard: uint(),
  lastUpdated: uint(),
  closedUptimeNs: uint64,
  workerTimeoutNs: nullable(uint64),
  lastSeq: uint(),
  lastEventId: hash,
});

const absentShape = struct<Omit<AbsentNode, 'kind'>>({
  peerId: text(MAX_PEER_ID_LENGTH),
  lastSeq: uint(),
  lastEventId: hash,
});

/** The places are part of the format. What schema 2 added took the next one: every other entry has the bytes that it had. */
const PLACES = { record: 0, absent: 1, recordOfLlmServer: 2 } as const;

export const nodeEntryCodec = codec<NodeEntry>(
  alternatives<NodeEntry>(
    [
      recordShape.with({ kind: 'record', isLlmServer: false }),
      absentShape.with({ kind: 'absent' }),
      recordShape.with({ kind: 'record', isLlmServer: true }),
    ],
    (entry) => {
      if (entry.kind === 'absent') return PLACES.absent;
      return entry.isLlmServer ? PLACES.recordOfLlmServer : PLACES.record;
    },
  ),
  MAX_RECORD_BYTES,
);

export const stakeCodec = codec(stakeShape, 256);

/** Seconds of the open session: it counts only as far as the node was heard. */
export function openUptimeSeconds(record: NodeRecord): number {
  return record.activity === 'joined' ? record.lastHeard - record.lastJoined : 0;
}
