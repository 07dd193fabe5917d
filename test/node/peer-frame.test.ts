import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { decodePeerFrame, eventFrames, MAX_EVENTS_PER_FRAME, messageFrame } from '../../src/node/peer-frame.ts';

const anyBytes = fc.uint8Array({ maxLength: 200 });

describe('a frame between validators', () => {
  test('holds a message of the engine as it is', () => {
    fc.assert(
      fc.property(anyBytes, (message) => {
        expect(decodePeerFrame(messageFrame(message))).toEqual({ ok: true, value: { kind: 'message', message } });
      }),
    );
  });

  test('holds events; many go into several frames, none into none', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 20 }), (events) => {
        const frames = eventFrames(events).map((frame) => unwrap(decodePeerFrame(frame)));
        expect(frames.flatMap((frame) => (frame.kind === 'events' ? frame.events : []))).toEqual(events);
      }),
    );
    const many = Array.from({ length: MAX_EVENTS_PER_FRAME * 2 + 1 }, (_, i) => Uint8Array.of(i & 0xff));
    const frames = eventFrames(many).map((frame) => unwrap(decodePeerFrame(frame)));
    expect(frames.map((frame) => (frame.kind === 'events' ? frame.events.length : 0))).toEqual([256, 256, 1]);
    expect(eventFrames([])).toEqual([]);
  });

  test('of no known kind is refused, an empty one too', () => {
    expect(decodePeerFrame(Uint8Array.of(2, 1, 1))).toMatchObject({
      refusal: { code: 'frame-kind-unknown', details: { kind: 2 } },
    });
    expect(decodePeerFrame(new Uint8Array(0))).toMatchObject({ refusal: { code: 'frame-kind-unknown' } });
  });

  test('is refused or has one encoding, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.constantFrom(0, 1, 2), (bytes, tag) => {
        bytes[0] = tag;
        const frame = decodePeerFrame(bytes);
        if (!frame.ok) return;
        const again =
          frame.value.kind === 'message' ? [messageFrame(frame.value.message)] : eventFrames(frame.value.events);
        if (frame.value.kind === 'message' || frame.value.events.length > 0) expect(again).toEqual([bytes]);
      }),
    );
  });

  test('cut short or with bytes behind it is refused', () => {
    const [frame] = eventFrames([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]) as [Uint8Array];
    for (let length = 1; length < frame.length; length++)
      expect(decodePeerFrame(frame.slice(0, length)).ok).toBe(false);
    expect(decodePeerFrame(Uint8Array.from([...frame, 0])).ok).toBe(false);
  });
});
