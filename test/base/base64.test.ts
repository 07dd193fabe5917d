import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64, toBase64 } from '../../src/base/base64.ts';

describe('base64', () => {
  it('is what Node writes, and reads back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each(['AA', 'AA=', 'AB==', 'AA==A', 'AA-_', 'A A=', '====', 'AA===', 'AAAA=', '?'])('%j is refused', (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });
});
