/**
 * What can happen to a node, as `node-history` keeps it. Times are block times, unix seconds. What a node did itself
 * names its event; what validators decided names the proposal.
 */
import { bool, codec, hash, list, nullable, oneOf, struct, text, uint, union, type Shape } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { MAX_REASON_LENGTH } from '../ledger/event-fields.ts';
import { MAX_ADDRESSES, MAX_ADDRESS_LENGTH } from '../ledger/multiaddrs.ts';
import { MAX_REFERENCE_LENGTH, MAX_VERSION_LENGTH } from '../ledger/record.ts';
import { CAPABILITIES, type Capability } from './node-data.ts';

const MAX_ENTRY_BYTES = 8 * 1024;

/** What a node says of itself. */
interface Announced {
  readonly capabilities: readonly Capability[];
  readonly multiaddrs: readonly string[];
  readonly version: string;
}

/** By which event of the node. */
interface ByEvent {
  readonly event: Hash;
  readonly seq: number;
}

/** A record that no event of this history made. */
interface Found extends Announced {
  readonly activity: 'joined' | 'left';
  readonly isStaked: boolean;
}

/** By the genesis, of an older system. */
export interface Imported extends Found {
  readonly kind: 'imported';
}

/** By the snapshot that this history begins with: what was before is not known here. */
export interface Carried extends Found {
  readonly kind: 'carried';
}

export interface Joined extends Announced, ByEvent {
  readonly kind: 'joined';
}

export interface Left extends ByEvent {
  readonly kind: 'left';
}

export interface AddressesChanged extends ByEvent {
  readonly kind: 'addressesChanged';
  readonly multiaddrs: readonly string[];
}

export interface CapabilitiesDeclared extends ByEvent {
  readonly kind: 'capabilitiesDeclared';
  readonly capabilities: readonly Capability[];
}

export interface VersionChanged extends ByEvent {
  readonly kind: 'versionChanged';
  readonly version: string;
}

/**
 * Heartbeats, and whatever else says only that a node is there, from one other entry to the next: one entry, however many
 * they are, so that a node that does nothing else has one entry for ever.
 */
export interface Heard {
  readonly kind: 'heard';
  readonly count: number;
  /** Of the last of them. */
  readonly untilHeight: number;
  readonly untilTime: number;
  /** Seconds, between two of them, or before the first. */
  readonly longestSilence: number;
}

export interface StakeChanged {
  readonly kind: 'stakeChanged';
  readonly isStaked: boolean;
  readonly reference: string;
  readonly proposal: Hash | null;
}

export interface WorkerTimeoutSet {
  readonly kind: 'workerTimeoutSet';
  /** Unix seconds; null: it was cleared. */
  readonly workerTimeout: number | null;
}

export interface Removed {
  readonly kind: 'removed';
  /** Null where the proposal was made before this history begins. */
  readonly proposal: Hash | null;
  readonly reason: string | null;
}

export type HistoryFact =
  | Imported
  | Carried
  | Joined
  | Left
  | AddressesChanged
  | CapabilitiesDeclared
  | VersionChanged
  | Heard
  | StakeChanged
  | WorkerTimeoutSet
  | Removed;

/** Where an entry stands in the history of its node: entries are in this order, and none ever moves. */
export interface HistoryPosition {
  readonly height: number;
  /** Among the node's entries of that height, from 0. */
  readonly index: number;
}

export interface HistoryEntry extends HistoryPosition {
  /** Block time, unix seconds. */
  readonly time: number;
  readonly fact: HistoryFact;
}

const multiaddrs = list(text(MAX_ADDRESS_LENGTH), MAX_ADDRESSES);
const version = text(MAX_VERSION_LENGTH);
const capabilities = list(oneOf(CAPABILITIES), CAPABILITIES.length);
const byEvent = { event: hash, seq: uint() };
const found = struct<Found>({
  multiaddrs,
  version,
  capabilities,
  activity: oneOf(['joined', 'left']),
  isStaked: bool,
});

const heardShape = struct<Omit<Heard, 'kind'>>({
  count: uint(),
  untilHeight: uint(),
  untilTime: uint(),
  longestSilence: uint(),
});

const factShape: Shape<HistoryFact> = union<HistoryFact>({
  imported: found,
  carried: found,
  joined: struct<Omit<Joined, 'kind'>>({ ...byEvent, multiaddrs, version, capabilities }),
  left: struct<Omit<Left, 'kind'>>(byEvent),
  addressesChanged: struct<Omit<AddressesChanged, 'kind'>>({ ...byEvent, multiaddrs }),
  capabilitiesDeclared: struct<Omit<CapabilitiesDeclared, 'kind'>>({ ...byEvent, capabilities }),
  versionChanged: struct<Omit<VersionChanged, 'kind'>>({ ...byEvent, version }),
  heard: heardShape,
  stakeChanged: struct<Omit<StakeChanged, 'kind'>>({
    isStaked: bool,
    reference: text(MAX_REFERENCE_LENGTH),
    proposal: nullable(hash),
  }),
  workerTimeoutSet: struct<Omit<WorkerTimeoutSet, 'kind'>>({ workerTimeout: nullable(uint()) }),
  removed: struct<Omit<Removed, 'kind'>>({ proposal: nullable(hash), reason: nullable(text(MAX_REASON_LENGTH)) }),
});

/** Without its position, which is in its key. */
export const entryCodec = codec(
  struct<Pick<HistoryEntry, 'fact' | 'time'>>({ time: uint(), fact: factShape }),
  MAX_ENTRY_BYTES,
);
