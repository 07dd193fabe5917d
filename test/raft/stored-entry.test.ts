import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENTRY_TYPES, type Entry } from '../../src/raft/messages.ts';
import { readStoredEntry, storedEntryBytes, writeStoredEntry } from '../../src/raft/stored-entry.ts';

const field = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null });
const entries: fc.Arbitrary<Entry> = fc.record({
  index: fc.maxSafeNat(),
  term: fc.maxSafeNat(),
  type: fc.constantFrom(...Object.values(ENTRY_TYPES)),
  data: field,
  extensions: field,
  appendedAt: fc.oneof(field, fc.constant(undefined)),
});

function stored(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(storedEntryBytes(entry));
  expect(writeStoredEntry(entry, bytes, 0)).toBe(bytes.length);
  return bytes;
}

test('an entry comes back as it was, with null, empty and absent fields told apart', () => {
  fc.assert(
    fc.property(entries, (entry) => {
      expect(readStoredEntry(stored(entry))).toEqual({ ok: true, value: entry });
    }),
  );
});

test('entries are written one behind the other into one buffer', () => {
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 5 }), (list) => {
      const buffer = new Uint8Array(list.reduce((sum, entry) => sum + storedEntryBytes(entry), 7));
      let at = 7;
      for (const entry of list) {
        const end = writeStoredEntry(entry, buffer, at);
        expect(buffer.subarray(at, end)).toEqual(stored(entry));
        at = end;
      }
      expect(at).toBe(buffer.length);
    }),
  );
});

test('an entry with any bit flipped, or cut off anywhere, is damaged', () => {
  const entry: Entry = {
    index: 7,
    term: 2,
    type: ENTRY_TYPES.command,
    data: new Uint8Array([1, 2]),
    extensions: null,
    appendedAt: null,
  };
  const bytes = stored(entry);
  const codeOf = (changed: Uint8Array) => {
    const read = readStoredEntry(changed);
    return read.ok ? 'ok' : read.refusal.code;
  };
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    expect(codeOf(changed), `bit ${bit}`).toBe('raft-entry-damaged');
  }
  for (let length = 0; length < bytes.length; length++)
    expect(codeOf(bytes.subarray(0, length))).toBe('raft-entry-damaged');
});
