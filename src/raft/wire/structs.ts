/**
 * The structs of hashicorp/raft's RPCs (`commands.go`), as Go writes them: a map of all fields, sorted by name. A field's
 * name tells its type in all of them, so one record holds the fields of any struct, with Go's zero where there is none.
 */
import { utf8 } from '../../base/bytes.ts';
import type { Entry, RaftRequest } from '../messages.ts';
import type { Dialect } from './dialect.ts';
import { entryBytesAtMost, readEntry, writeEntry } from './entry-codec.ts';
import { encodedKey, FieldTable, type WireReader } from './msgpack-reader.ts';
import type { WireWriter } from './msgpack-writer.ts';

export interface Fields {
  Addr: string | null;
  Candidate: string | null;
  Configuration: Uint8Array | null;
  ConfigurationIndex: number;
  Entries: readonly Entry[] | null;
  Granted: boolean;
  ID: string | null;
  LastLog: number;
  LastLogIndex: number;
  LastLogTerm: number;
  Leader: string | null;
  LeaderCommitIndex: number;
  LeadershipTransfer: boolean;
  NoRetryBackoff: boolean;
  Peers: Uint8Array | null;
  PrevLogEntry: number;
  PrevLogTerm: number;
  ProtocolVersion: number;
  Size: number;
  SnapshotVersion: number;
  Success: boolean;
  Term: number;
}

type FieldName = keyof Fields;

const ZERO: Fields = {
  ...{ Addr: null, Candidate: null, Configuration: null, ConfigurationIndex: 0, Entries: null, Granted: false },
  ...{ ID: null, LastLog: 0, LastLogIndex: 0, LastLogTerm: 0, Leader: null, LeaderCommitIndex: 0 },
  ...{ LeadershipTransfer: false, NoRetryBackoff: false, Peers: null, PrevLogEntry: 0, PrevLogTerm: 0 },
  ...{ ProtocolVersion: 0, Size: 0, SnapshotVersion: 0, Success: false, Term: 0 },
};

export interface Struct {
  readonly names: readonly FieldName[];
  readonly table: FieldTable;
}

type StructKind = RaftRequest['kind'];

function struct(...names: readonly FieldName[]): Struct {
  return { names, table: new FieldTable(names) };
}

export const REQUESTS: Readonly<Record<StructKind, Struct>> = {
  appendEntries: struct(
    ...(['Addr', 'Entries', 'ID', 'Leader', 'LeaderCommitIndex', 'PrevLogEntry', 'PrevLogTerm'] as const),
    ...(['ProtocolVersion', 'Term'] as const),
  ),
  requestVote: struct(
    ...(['Addr', 'Candidate', 'ID', 'LastLogIndex', 'LastLogTerm', 'LeadershipTransfer', 'ProtocolVersion'] as const),
    'Term',
  ),
  installSnapshot: struct(
    ...(['Addr', 'Configuration', 'ConfigurationIndex', 'ID', 'LastLogIndex', 'LastLogTerm', 'Leader'] as const),
    ...(['Peers', 'ProtocolVersion', 'Size', 'SnapshotVersion', 'Term'] as const),
  ),
  timeoutNow: struct('Addr', 'ID', 'ProtocolVersion'),
  preVote: struct('Addr', 'ID', 'LastLogIndex', 'LastLogTerm', 'ProtocolVersion', 'Term'),
};

export const RESPONSES: Readonly<Record<StructKind, Struct>> = {
  appendEntries: struct('Addr', 'ID', 'LastLog', 'NoRetryBackoff', 'ProtocolVersion', 'Success', 'Term'),
  requestVote: struct('Addr', 'Granted', 'ID', 'Peers', 'ProtocolVersion', 'Term'),
  installSnapshot: struct('Addr', 'ID', 'ProtocolVersion', 'Success', 'Term'),
  timeoutNow: struct('Addr', 'ID', 'ProtocolVersion'),
  preVote: struct('Addr', 'Granted', 'ID', 'ProtocolVersion', 'Term'),
};

/** Keys and numbers of one struct and its names, mostly. */
const STRUCT_OVERHEAD_BYTES = 384;

/** About so many bytes are written for the struct. */
export function structBytes({ Entries, Configuration, Peers }: Partial<Fields>): number {
  let bytes = STRUCT_OVERHEAD_BYTES + (Configuration?.length ?? 0) + (Peers?.length ?? 0);
  for (const entry of Entries ?? []) bytes += entryBytesAtMost(entry);
  return bytes;
}

/** Fields that are not given are zero. */
export function writeStruct(to: WireWriter, { names }: Struct, given: Partial<Fields>, dialect: Dialect): void {
  const fields: Fields = { ...ZERO, ...given };
  const hasHeader = dialect.header === 'id-and-address';
  to.map(hasHeader ? names.length : names.length - 2);
  for (const name of names) {
    if (!hasHeader && (name === 'Addr' || name === 'ID')) continue;
    to.encoded(KEYS[name]);
    writeField(to, name, fields, dialect);
  }
}

function writeField(to: WireWriter, name: FieldName, fields: Fields, dialect: Dialect): void {
  if (name === 'Entries') return writeEntries(to, fields.Entries, dialect);
  const value = fields[name];
  if (typeof value === 'boolean') to.bool(value);
  // Nobody is nil: Go has no empty id and no empty address.
  else if (typeof value === 'string') to.bytes(value === '' ? null : utf8(value));
  else if (typeof value !== 'number') to.bytes(value);
  else if (value < 0 || (name === 'Size' && dialect.signedSize)) to.int(value);
  else to.uint(value);
}

function writeEntries(to: WireWriter, entries: readonly Entry[] | null, dialect: Dialect): void {
  if (entries === null) return to.nil();
  to.array(entries.length);
  for (const entry of entries) writeEntry(to, entry, dialect);
}

/** @throws WireError */
export function readStruct(from: WireReader, { names, table }: Struct): Fields {
  const fields: Fields = { ...ZERO };
  let next = 0;
  for (let left = from.struct(); left > 0; left--) {
    const index = from.key(table, next);
    const name = names[index];
    if (name === undefined) from.skip();
    else readField(from, name, fields);
    next = index + 1;
  }
  return fields;
}

function readField(from: WireReader, name: FieldName, fields: Fields): void {
  switch (name) {
    case 'Entries':
      fields.Entries = readEntries(from);
      return;
    case 'Addr':
    case 'Candidate':
    case 'ID':
    case 'Leader':
      fields[name] = from.name();
      return;
    case 'Configuration':
    case 'Peers':
      fields[name] = from.bytes();
      return;
    case 'Granted':
    case 'LeadershipTransfer':
    case 'NoRetryBackoff':
    case 'Success':
      fields[name] = from.bool();
      return;
    case 'ProtocolVersion':
    case 'SnapshotVersion':
      fields[name] = from.int();
      return;
    default:
      fields[name] = from.uint();
  }
}

function readEntries(from: WireReader): readonly Entry[] | null {
  const length = from.array('entries', from.limits.maxEntries);
  if (length === null) return null;
  const entries: Entry[] = [];
  for (let i = 0; i < length; i++) entries.push(readEntry(from));
  return entries;
}

const KEYS = Object.fromEntries(Object.keys(ZERO).map((name) => [name, encodedKey(name)])) as Record<
  FieldName,
  Uint8Array
>;
