/**
 * A peer that serves the read protocol with another's answers, altered on the way. It stands where it can do most harm:
 * TLS keeps anyone else from touching what a peer sends.
 */
import type { Stream } from '@libp2p/interface';
import { unwrap } from '../../src/base/result.ts';
import type { Host, PeerTarget } from '../../src/net/host.ts';
import { READ_PROTOCOL } from '../../src/net/read.ts';
import { endWith, readWhole, writeWhole } from '../../src/net/whole-stream.ts';

const DEADLINE_MS = 5_000;
const MAX_BYTES = 1 << 20;

/** One bit of the range, all of its bits, or everything from its start to the end. */
export type Alteration = 'flip' | 'invert' | 'cut';

export class ReadProxy {
  /** What happens to the next answers; null: they are relayed as they are. */
  alter: { readonly alteration: Alteration; readonly from: number; readonly to: number } | null = null;
  readonly #host: Host;
  readonly #behind: PeerTarget;
  #answer: Uint8Array | undefined;

  constructor(host: Host, behind: PeerTarget) {
    this.#host = host;
    this.#behind = behind;
  }

  get target(): PeerTarget {
    return { peerId: this.#host.peerId, multiaddrs: this.#host.addresses() };
  }

  /** Of the last answer as it was sent, frame header and all. */
  get answerBytes(): number {
    return this.#answer?.length ?? 0;
  }

  async start(): Promise<void> {
    await this.#host.handle(READ_PROTOCOL, (stream) => {
      void this.#serve(stream);
    });
  }

  async #serve(stream: Stream): Promise<void> {
    const request = await readWhole(stream, { maxBytes: MAX_BYTES, deadlineMs: DEADLINE_MS });
    if (!request.ok) return;
    // While it alters, one answer does for all questions, so that every range is one of the same bytes.
    const answer = this.alter === null ? undefined : this.#answer;
    this.#answer = answer ?? (await this.#relayed(request.value));
    await endWith(stream, this.alter === null ? this.#answer : altered(this.#answer, this.alter));
  }

  async #relayed(request: Uint8Array): Promise<Uint8Array> {
    const stream = await this.#host.open(this.#behind, READ_PROTOCOL, { deadlineMs: DEADLINE_MS });
    unwrap(await writeWhole(stream, request, DEADLINE_MS));
    return unwrap(await readWhole(stream, { maxBytes: MAX_BYTES, deadlineMs: DEADLINE_MS }));
  }
}

function altered(answer: Uint8Array, how: NonNullable<ReadProxy['alter']>): Uint8Array {
  const { alteration, from, to } = how;
  if (alteration === 'cut') return answer.slice(0, from);
  const bytes = answer.slice();
  // One bit somewhere in the range: not always the same one of its bytes.
  const first = alteration === 'flip' ? from + (from % (to - from || 1)) : from;
  const end = alteration === 'flip' ? first + 1 : to;
  for (let i = first; i < end; i++) bytes[i] = (bytes[i] ?? 0) ^ (alteration === 'flip' ? 1 << (i % 8) : 0xff);
  return bytes;
}
