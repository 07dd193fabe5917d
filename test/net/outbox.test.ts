import { describe, expect, it } from 'vitest';
import { Outbox } from '../../src/net/outbox.ts';

const BOUNDS = {
  consensus: { maxFrames: 2, maxBytes: 100 },
  events: { maxFrames: 2, maxBytes: 100 },
  bulk: { maxFrames: 1, maxBytes: 100 },
};

const frame = (name: number, length = 1): Uint8Array => new Uint8Array(length).fill(name);
const names = (frames: readonly Uint8Array[]): (number | undefined)[] => frames.map(([name]) => name);

describe('outbox', () => {
  it('lets consensus frames go first, then events, then bulk', () => {
    const outbox = new Outbox(BOUNDS);
    outbox.push(frame(1), 'bulk');
    outbox.push(frame(2), 'events');
    outbox.push(frame(3), 'consensus');
    outbox.push(frame(4), 'events');
    expect(names(outbox.take(1000))).toEqual([3, 2, 4, 1]);
    expect(outbox.isEmpty).toBe(true);
  });

  it('keeps the newest consensus frames and drops the oldest', () => {
    const outbox = new Outbox(BOUNDS);
    for (const name of [1, 2, 3]) expect(outbox.push(frame(name), 'consensus')).toBe(true);
    expect(outbox.dropped('consensus')).toBe(1);
    expect(names(outbox.take(1000))).toEqual([2, 3]);
  });

  it('keeps a consensus frame that is larger than the bound by itself', () => {
    const outbox = new Outbox(BOUNDS);
    outbox.push(frame(1), 'consensus');
    outbox.push(frame(2, 500), 'consensus');
    expect(names(outbox.take(1000))).toEqual([2]);
  });

  it('refuses new events and bulk when full, by number and by bytes', () => {
    const outbox = new Outbox(BOUNDS);
    expect([1, 2, 3].map((name) => outbox.push(frame(name), 'events'))).toEqual([true, true, false]);
    expect([frame(4, 101), frame(5, 100), frame(6)].map((f) => outbox.push(f, 'bulk'))).toEqual([false, true, false]);
    expect([outbox.dropped('events'), outbox.dropped('bulk')]).toEqual([1, 2]);
  });

  it('gives at most the bytes asked for, and always one frame', () => {
    const outbox = new Outbox({ ...BOUNDS, events: { maxFrames: 1000, maxBytes: 1e6 } });
    for (let i = 0; i < 600; i++) outbox.push(frame(i % 256, 10), 'events');
    expect(outbox.take(5)).toHaveLength(1);
    expect(outbox.take(35)).toHaveLength(3);
    expect(outbox.bytes).toBe(5960);
    const rest: (number | undefined)[] = [];
    while (!outbox.isEmpty) rest.push(...names(outbox.take(35)));
    expect(rest).toEqual(Array.from({ length: 596 }, (_, i) => (i + 4) % 256));
    expect([outbox.frames, outbox.bytes]).toEqual([0, 0]);
  });
});
