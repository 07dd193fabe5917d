/** Log entries on the wire (hashicorp/raft, `log.go`). What a peer put into one is kept as it is. */
import { ENTRY_TYPES, type Entry, type EntryType } from '../messages.ts';
import { portableAppendedAt, readAppendedAt } from './appended-at.ts';
import type { Dialect } from './dialect.ts';
import { refuseWire, undecodable } from './limits.ts';
import { encodedKey, FieldTable, type WireReader } from './msgpack-reader.ts';
import type { WireWriter } from './msgpack-writer.ts';

const FIELDS = new FieldTable(['AppendedAt', 'Data', 'Extensions', 'Index', 'Term', 'Type']);
const [APPENDED_AT, DATA, EXTENSIONS, INDEX, TERM, TYPE] = [0, 1, 2, 3, 4, 5];
const [appendedAtKey, dataKey, extensionsKey, indexKey, termKey, typeKey] = FIELDS.names.map(encodedKey) as [
  ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
];

/** Keys and numbers of one entry, at most. */
const ENTRY_OVERHEAD_BYTES = 96;
const MAX_GO_TYPE = 0xff;
const KNOWN_TYPES: readonly number[] = Object.values(ENTRY_TYPES);

/** At most so many bytes are written for the entry. */
export function entryBytesAtMost({ data, extensions }: Entry): number {
  return ENTRY_OVERHEAD_BYTES + (data?.length ?? 0) + (extensions?.length ?? 0);
}

export function writeEntry(to: WireWriter, entry: Entry, dialect: Dialect): void {
  const appendedAt = appendedAtOf(entry, dialect);
  to.map(appendedAt === undefined ? 5 : 6);
  if (appendedAt !== undefined) {
    to.encoded(appendedAtKey);
    to.bytes(appendedAt);
  }
  to.encoded(dataKey);
  to.bytes(entry.data);
  to.encoded(extensionsKey);
  to.bytes(entry.extensions);
  to.encoded(indexKey);
  to.uint(entry.index);
  to.encoded(termKey);
  to.uint(entry.term);
  to.encoded(typeKey);
  to.uint(entry.type);
}

function appendedAtOf({ appendedAt }: Entry, dialect: Dialect): Uint8Array | null | undefined {
  if (dialect.appendedAt === 'none') return undefined;
  return dialect.appendedAt === 'kept' ? appendedAt : portableAppendedAt(appendedAt);
}

/** @throws WireError; also for a nil entry and for types that make a Go node panic */
export function readEntry(from: WireReader): Entry {
  if (from.nil()) undecodable('an entry');
  let index = 0;
  let term = 0;
  let type = 0;
  let data: Uint8Array | null = null;
  let extensions: Uint8Array | null = null;
  let appendedAt: Uint8Array | null | undefined;
  const fields = from.struct();
  // Versions before 1.3 begin with the second field.
  let next = fields < FIELDS.names.length ? DATA : APPENDED_AT;
  for (let i = 0; i < fields; i++) {
    const field = from.key(FIELDS, next);
    if (field === APPENDED_AT) appendedAt = readAppendedAt(from);
    else if (field === DATA) data = from.bytes();
    else if (field === EXTENSIONS) extensions = from.bytes();
    else if (field === INDEX) index = from.uint();
    else if (field === TERM) term = from.uint();
    else if (field === TYPE) type = from.uint();
    else from.skip();
    next = field + 1;
  }
  return { index, term, type: entryTypeOf(type), data, extensions, appendedAt };
}

function entryTypeOf(type: number): EntryType {
  if (type > MAX_GO_TYPE) undecodable('an entry type of one byte');
  if (!KNOWN_TYPES.includes(type)) refuseWire('raft-entry-type', 'no entry of a log has this type', { type });
  return type as EntryType;
}
