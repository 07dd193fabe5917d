/**
 * Entries of the log as they are kept on the disk: each with its index and a check, as LevelDB hands out a value with
 * flipped bits as if it were the one that was written (docs/adr/0011).
 *
 *     offset  0  form, 1
 *             1  type of the entry
 *             2  which fields are there: 1 data, 2 extensions, 4 appendedAt, 8 appendedAt is null
 *             3  index, 8 bytes
 *            11  term, 8 bytes
 *            19  lengths of data, extensions and appendedAt, 4 bytes each
 *            31  data, extensions, appendedAt
 *           end  16 bytes of the SHA-256 of all before
 *
 * Written by hand and into one buffer for all entries of a write: a leader under load writes ten thousand a second.
 */
import { sha256Into } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { ENTRY_TYPES, type Entry, type EntryType } from './messages.ts';

const FORM = 1;
const HEAD_BYTES = 31;
const CHECK_BYTES = 16;
const HAS_DATA = 1;
const HAS_EXTENSIONS = 2;
const HAS_APPENDED_AT = 4;
const APPENDED_AT_IS_NULL = 8;

const TYPES: ReadonlySet<number> = new Set(Object.values(ENTRY_TYPES));
const digest = new Uint8Array(32);

export function storedEntryBytes({ appendedAt, data, extensions }: Entry): number {
  return HEAD_BYTES + (data?.length ?? 0) + (extensions?.length ?? 0) + (appendedAt?.length ?? 0) + CHECK_BYTES;
}

/** @returns where the next one may begin */
export function writeStoredEntry(entry: Entry, target: Uint8Array, offset: number): number {
  const { appendedAt, data, extensions } = entry;
  const view = new DataView(target.buffer, target.byteOffset + offset, HEAD_BYTES);
  view.setUint8(0, FORM);
  view.setUint8(1, entry.type);
  view.setUint8(
    2,
    (data === null ? 0 : HAS_DATA) |
      (extensions === null ? 0 : HAS_EXTENSIONS) |
      (appendedAt === undefined ? 0 : appendedAt === null ? APPENDED_AT_IS_NULL : HAS_APPENDED_AT),
  );
  setNumber(view, 3, entry.index);
  setNumber(view, 11, entry.term);
  let end = offset + HEAD_BYTES;
  for (const [at, field] of [data, extensions, appendedAt].entries()) {
    view.setUint32(19 + at * 4, field?.length ?? 0);
    if (field === null || field === undefined) continue;
    target.set(field, end);
    end += field.length;
  }
  sha256Into(target.subarray(offset, end), digest, 0);
  target.set(digest.subarray(0, CHECK_BYTES), end);
  return end + CHECK_BYTES;
}

/** Refusal: `raft-entry-damaged`. Fields of the entry are views of the bytes. */
export function readStoredEntry(bytes: Uint8Array): Result<Entry> {
  const end = bytes.length - CHECK_BYTES;
  if (end < HEAD_BYTES || bytes[0] !== FORM) return damaged('is not one that was written');
  sha256Into(bytes.subarray(0, end), digest, 0);
  for (let i = 0; i < CHECK_BYTES; i++) {
    if (bytes[end + i] !== digest[i]) return damaged('has changed since it was written');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, end);
  const type = view.getUint8(1);
  const has = view.getUint8(2);
  const lengths = [19, 23, 27].map((at) => view.getUint32(at)) as [number, number, number];
  if (HEAD_BYTES + lengths[0] + lengths[1] + lengths[2] !== end || !TYPES.has(type))
    return damaged('is not one that was written');
  let at = HEAD_BYTES;
  const [data, extensions, appendedAt] = lengths.map((length) => bytes.subarray(at, (at += length)));
  return ok({
    index: getNumber(view, 3),
    term: getNumber(view, 11),
    type: type as EntryType,
    data: (has & HAS_DATA) === 0 ? null : (data as Uint8Array),
    extensions: (has & HAS_EXTENSIONS) === 0 ? null : (extensions as Uint8Array),
    appendedAt: (has & HAS_APPENDED_AT) !== 0 ? appendedAt : (has & APPENDED_AT_IS_NULL) !== 0 ? null : undefined,
  });
}

function damaged(what: string): Result<never> {
  return refuse('raft-entry-damaged', `an entry of the log ${what}`);
}

/** Whole numbers up to 2^53 - 1, in eight bytes. */
function setNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value % 0x1_0000_0000);
}

function getNumber(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
