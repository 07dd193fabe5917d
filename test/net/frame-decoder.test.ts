import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/base/bytes.ts';
import { FRAME_HEADER_BYTES, FrameDecoder, writeFrameHeader } from '../../src/net/frame-decoder.ts';

function encode(frames: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    ...frames.flatMap((frame) => {
      const header = new Uint8Array(FRAME_HEADER_BYTES);
      writeFrameHeader(header, 0, frame.length);
      return [header, frame];
    }),
  );
}

describe('frame decoder', () => {
  it('gives the same frames however the bytes are cut', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(40), { maxLength: 60 }), (sent, cuts) => {
        const bytes = encode(sent);
        const decoder = new FrameDecoder(300);
        const got: Uint8Array[] = [];
        let offset = 0;
        for (const cut of [...cuts, bytes.length]) {
          expect(decoder.push(bytes.subarray(offset, offset + cut), got).ok).toBe(true);
          offset = Math.min(bytes.length, offset + cut);
        }
        expect(got).toEqual(sent);
        expect(decoder.insideFrame).toBe(false);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('refuses a frame by its length before its content arrives', () => {
    const decoder = new FrameDecoder(100);
    const header = new Uint8Array(4);
    writeFrameHeader(header, 0, 101);
    expect(decoder.push(header, [])).toMatchObject({ refusal: { code: 'frame-too-large', details: { length: 101 } } });
  });

  it('reads a length whose highest bit is set as a large number', () => {
    const pushed = new FrameDecoder(100).push(Uint8Array.of(255, 255, 255, 255), []);
    expect(pushed).toMatchObject({ refusal: { code: 'frame-too-large', details: { length: 0xffffffff } } });
  });

  it('refuses an empty frame', () => {
    expect(new FrameDecoder(100).push(new Uint8Array(4), [])).toMatchObject({ refusal: { code: 'frame-empty' } });
  });

  it('copies a small frame out of a large read, so that it does not keep it in memory', () => {
    const frames: Uint8Array[] = [];
    const read = new Uint8Array(64 << 10);
    read.set(encode([new Uint8Array(10).fill(3)]));
    new FrameDecoder(100).push(read.subarray(0, 14), frames);
    expect(frames[0]?.buffer.byteLength).toBe(10);
  });
});
