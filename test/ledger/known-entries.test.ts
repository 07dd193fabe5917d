import { describe, expect, test } from 'vitest';
import type { Hash } from '../../src/base/hash.ts';
import { decodeOwnEntry, encodeEntry } from '../../src/ledger/known-entries.ts';
import { nodeEntryCodec, type NodeEntry } from '../../src/ledger/record.ts';
import { NO_CAPABILITIES, peerOf, START } from './nodes.ts';

function absent(lastSeq: number, lastEventId: string): NodeEntry {
  return { kind: 'absent', peerId: peerOf(1), lastSeq, lastEventId: lastEventId as Hash };
}

/** Of a kilobyte. */
function long(lastSeq: number, lastEventId: string): NodeEntry {
  return {
    ...NO_CAPABILITIES,
    kind: 'record',
    peerId: peerOf(2),
    origin: 'event',
    multiaddrs: Array.from({ length: 16 }, (_, index) => `/dns4/${'a'.repeat(50)}${index}/tcp/4001`),
    version: 'v1.0.0',
    isLlmServer: false,
    stake: null,
    activity: 'joined',
    firstJoined: START,
    lastJoined: START,
    lastLeft: 0,
    lastHeard: START,
    lastUpdated: START,
    closedUptimeNs: 0n,
    workerTimeoutNs: null,
    lastSeq,
    lastEventId: lastEventId as Hash,
  };
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

  test('is decoded each time where it is long, and changes nothing beside its place', () => {
    const digest = (place: number) => 'cd'.repeat(30) + place.toString(16).padStart(4, '0');
    const neighbours = [0x1000, 0x1001, 0x1002].map((place) => absent(5, digest(place)));
    const encoded = neighbours.map(encodeEntry);
    const entry = long(6, digest(0x1000));
    const bytes = encodeEntry(entry);
    expect(bytes.length).toBeGreaterThan(1024);
    expect(decodeOwnEntry(bytes)).toEqual(entry);
    for (const [index, each] of encoded.entries()) expect(decodeOwnEntry(each)).toBe(neighbours[index]);
  });

  test('throws where the bytes are none', () => {
    expect(() => decodeOwnEntry(new Uint8Array([1, 2, 3]))).toThrow('own bytes decode');
    expect(() => decodeOwnEntry(new Uint8Array(0))).toThrow('own bytes decode');
  });
});
