import { describe, expect, it } from 'vitest';
import { DecodedKeys } from '../../src/qc/decoded-keys.ts';

function keyOf(number: number): Uint8Array {
  return new Uint8Array(48).fill(number);
}

describe('the cache of decoded keys', () => {
  it('decodes a key once while it is in use, and by its bytes, not by its array', () => {
    const decoded: number[] = [];
    const keys = new DecodedKeys((bytes) => decoded.push(bytes[0] as number), 2);
    keys.decode(keyOf(1));
    keys.decode(keyOf(1));
    const reused = keyOf(1);
    keys.decode(reused);
    reused.fill(2);
    keys.decode(reused);
    expect(decoded).toEqual([1, 2]);
  });

  it('stays within its bound and forgets the key that was used least recently', () => {
    const decoded: number[] = [];
    const keys = new DecodedKeys((bytes) => decoded.push(bytes[0] as number), 2);
    for (const number of [1, 2, 1, 3, 1, 2]) keys.decode(keyOf(number));
    expect(keys.size).toBe(2);
    expect(decoded).toEqual([1, 2, 3, 2]);
  });

  it('keeps no key that does not decode', () => {
    const keys = new DecodedKeys(() => {
      throw new RangeError('not a point');
    });
    expect(() => keys.decode(keyOf(1))).toThrow('not a point');
    expect(() => keys.decode(new Uint8Array(96))).toThrow('a public key has 48 bytes');
    expect(keys.size).toBe(0);
  });
});
