import { describe, expect, test } from 'vitest';
import type { Hash } from '../../src/base/hash.ts';
import { decodeOwnEntry, encodeEntry } from '../../src/ledger/known-entries.ts';
import { nodeEntryCodec, type NodeEntry } from '../../src/ledger/record.ts';
import { peerOf } from './nodes.ts';

function absent(lastSeq: number, lastEventId: string): NodeEntry {
  return { kind: 'absent', peerId: peerOf(1), lastSeq, lastEventId: lastEventId as Hash };
}

describe('a node entry that was written or read', () => {
  test('is found by its bytes, as the decoder gives it', () => {
    const entry = absent(7, 'cd'.repeat(32));
    const bytes = encodeEntry(entry);
    expect(decodeOwnEntry(bytes)).toBe(entry);
    expect(decodeOwnEntry(bytes.slice())).toBe(entry);
    expect(nodeEntryCodec.decodeOwn(bytes)).toEqual(entry);
  });

  test('is not mistaken for another one that is kept in its place', () => {
    const digest = 'ab'.repeat(32);
    const entries = [1, 2, 3].map((seq) => absent(seq, digest));
    const encoded = entries.map(encodeEntry);
    for (const round of [1, 2]) {
      for (const [index, bytes] of encoded.entries()) expect(decodeOwnEntry(bytes), `${round}`).toEqual(entries[index]);
    }
  });

  test('is kept apart from the array it was in', () => {
    const entry = absent(9, 'ef'.repeat(32));
    const bytes = encodeEntry(entry);
    const same = bytes.slice();
    bytes.fill(0);
    expect(decodeOwnEntry(same)).toBe(entry);
  });

  test('throws where the bytes are none', () => {
    expect(() => decodeOwnEntry(new Uint8Array([1, 2, 3]))).toThrow('own bytes decode');
    expect(() => decodeOwnEntry(new Uint8Array(0))).toThrow('own bytes decode');
  });
});
