/**
 * What travels on the stream between two validators: a message of the engine, or submitted events on their way into
 * the other's mempool. One byte tells which.
 */
import { concatBytes } from '../base/bytes.ts';
import { bytes, codec, list } from '../base/codec.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { MAX_EVENT_BYTES } from '../ledger/event.ts';

export type PeerFrame =
  | { readonly kind: 'message'; readonly message: Uint8Array }
  | { readonly kind: 'events'; readonly events: readonly Uint8Array[] };

const MESSAGE_TAG = 0;
const EVENTS_TAG = 1;

/** Events in one frame; a burst is split. */
export const MAX_EVENTS_PER_FRAME = 256;

const eventsCodec = codec(
  list(bytes(MAX_EVENT_BYTES), MAX_EVENTS_PER_FRAME),
  MAX_EVENTS_PER_FRAME * (MAX_EVENT_BYTES + 8),
);

export function messageFrame(message: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(MESSAGE_TAG), message);
}

export function eventFrames(events: readonly Uint8Array[]): readonly Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let start = 0; start < events.length; start += MAX_EVENTS_PER_FRAME) {
    const part = events.slice(start, start + MAX_EVENTS_PER_FRAME);
    frames.push(concatBytes(Uint8Array.of(EVENTS_TAG), eventsCodec.encode(part)));
  }
  return frames;
}

/** Refusals: `frame-kind-unknown`, and those of the codec. The message is not decoded here. */
export function decodePeerFrame(frame: Uint8Array): Result<PeerFrame> {
  const body = frame.subarray(1);
  switch (frame[0]) {
    case MESSAGE_TAG:
      return ok({ kind: 'message', message: body });
    case EVENTS_TAG: {
      const events = eventsCodec.decode(body);
      return events.ok ? ok({ kind: 'events', events: events.value }) : events;
    }
    default:
      return refuse('frame-kind-unknown', 'the frame is of no known kind', { kind: frame[0] ?? -1 });
  }
}
