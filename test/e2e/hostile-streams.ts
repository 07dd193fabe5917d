/** Bytes that no peer should send, on streams that any peer may open. */
import type { Stream } from '@libp2p/interface';
import { concatBytes } from '../../src/base/bytes.ts';
import { Random } from '../../src/base/random.ts';
import type { Host, PeerTarget } from '../../src/net/host.ts';
import { readWhole, writeWhole } from '../../src/net/whole-stream.ts';

const DEADLINE_MS = 20_000;
const MAX_ANSWER_BYTES = 1 << 20;

/** What came back: the bytes before the end, or that the stream was reset. */
export type Reaction = Uint8Array | 'reset';

/** Opens a stream, sends the bytes, ends its direction and takes what comes. */
export async function sendBytes(from: Host, to: PeerTarget, protocol: string, bytes: Uint8Array): Promise<Reaction> {
  const stream = await from.open(to, protocol, { deadlineMs: DEADLINE_MS });
  const written = await writeWhole(stream, bytes, DEADLINE_MS);
  if (!written.ok) return 'reset';
  return reactionOf(stream);
}

/** Opens a stream, sends the bytes, and does not look back. */
export async function throwBytes(from: Host, to: PeerTarget, protocol: string, bytes: Uint8Array): Promise<void> {
  const stream = await from.open(to, protocol, { deadlineMs: DEADLINE_MS });
  await writeWhole(stream, bytes, DEADLINE_MS);
  stream.abort(new Error('thrown'));
}

export async function reactionOf(stream: Stream): Promise<Reaction> {
  const read = await readWhole(stream, { maxBytes: MAX_ANSWER_BYTES, deadlineMs: DEADLINE_MS });
  if (read.ok) return read.value;
  if (read.refusal.code === 'stream-closed') return 'reset';
  throw new Error(`the stream was left open: ${read.refusal.code}`);
}

export function framed(...frames: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...frames.flatMap((frame) => [lengthOf(frame.length), frame]));
}

function lengthOf(length: number): Uint8Array {
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, length);
  return header;
}

/** Whole streams that a server of frames must not take, by name. @param valid the content of a frame that it does take */
export function hostileFrames(valid: Uint8Array, maxFrameBytes: number): Readonly<Record<string, Uint8Array>> {
  const random = new Random(11);
  return {
    'a frame of random bytes': framed(random.bytes(200)),
    'a frame that is cut short': framed(valid).slice(0, -1),
    'a frame without content': lengthOf(0),
    'a frame larger than allowed': concatBytes(lengthOf(maxFrameBytes + 1), random.bytes(1_000)),
    'content that is cut short': framed(valid.slice(0, -1)),
    'content with a byte more': framed(Uint8Array.from([...valid, 0])),
    'content in another spelling': framed(spelledOtherwise(valid)),
    'nesting without end': framed(new Uint8Array(4_000).fill(0x91)),
  };
}

/** The same value with the length of its outermost array in three bytes instead of one (MessagePack, `array 16`). */
function spelledOtherwise(valid: Uint8Array): Uint8Array {
  const [first = 0] = valid;
  if ((first & 0xf0) !== 0x90) throw new Error('the content begins with a short array');
  return Uint8Array.from([0xdc, 0, first & 0x0f, ...valid.slice(1)]);
}
