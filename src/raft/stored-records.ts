/** What a server keeps beside its log, each record with a check of its own (`ledger/checked-record.ts`). */
import { bool, codec, fixedBytes, hash, list, nullable, oneOf, struct, text, uint } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import type { HardState } from './contract.ts';
import type { Configuration, LoggedConfiguration, Server } from './messages.ts';

const MAX_NAME_LENGTH = 512;
const MAX_SERVERS = 1024;
const MAX_RECORD_BYTES = 2 << 20;

/** Which entries are there: what is missing at either end was taken away by nobody else. */
export interface LogBounds {
  /** `lastIndex + 1` when none is. */
  readonly firstIndex: number;
  readonly lastIndex: number;
}

/** A file of `SnapshotFiles`, as the store names it. */
export interface StoredSnapshot {
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly configuration: LoggedConfiguration;
  readonly sizeBytes: number;
  /** SHA-256 of the state. */
  readonly checksum: Uint8Array;
  readonly file: string;
}

/** Up to where the state machine's own keys in the store are. */
export interface AppliedRecord {
  readonly index: number;
  readonly term: number;
}

/** Which history this server is of, so that it never goes on in another one (`history.ts`). */
export interface HistoryRecord {
  /** The first entry of the log, where it was seen; else the snapshot that this server began from. */
  readonly origin: 'entry' | 'snapshot';
  readonly index: number;
  readonly term: number;
  /** Of that entry, or of what the snapshot says of itself. */
  readonly hash: Hash;
  readonly servers: readonly Server[];
  /** Another server has this history too. Of a server that bootstrapped itself nobody knows that at first. */
  readonly shared: boolean;
}

const serverShape = struct<Server>({
  id: text(MAX_NAME_LENGTH),
  address: text(MAX_NAME_LENGTH),
  suffrage: oneOf(['voter', 'nonvoter', 'staging']),
});

const configurationShape = struct<LoggedConfiguration>({
  index: uint(),
  configuration: struct<Configuration>({ servers: list(serverShape, MAX_SERVERS) }),
});

export const hardStateCodec = codec(
  struct<HardState>({ term: uint(), votedFor: nullable(text(MAX_NAME_LENGTH)) }),
  MAX_RECORD_BYTES,
);

export const logBoundsCodec = codec(struct<LogBounds>({ firstIndex: uint(), lastIndex: uint() }), MAX_RECORD_BYTES);

const snapshotShape = struct<StoredSnapshot>({
  lastIndex: uint(),
  lastTerm: uint(),
  configuration: configurationShape,
  sizeBytes: uint(),
  checksum: fixedBytes(32),
  file: text(256),
});

export const snapshotCodec = codec(snapshotShape, MAX_RECORD_BYTES);

export const appliedCodec = codec(struct<AppliedRecord>({ index: uint(), term: uint() }), MAX_RECORD_BYTES);

export const historyCodec = codec(
  struct<HistoryRecord>({
    origin: oneOf(['entry', 'snapshot']),
    index: uint(),
    term: uint(),
    hash,
    servers: list(serverShape, MAX_SERVERS),
    shared: bool,
  }),
  MAX_RECORD_BYTES,
);
