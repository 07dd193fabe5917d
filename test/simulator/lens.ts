/** Reads frames on the wire, each once however many it goes to: for faults that choose by kind and round, and for checkers. */
import { ok, type Result } from '../../src/base/result.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { decodeMessage } from '../../src/hotstuff/wire.ts';
import { decodeSignedEvent, type EventDecoder, type SignedEvent } from '../../src/ledger/event.ts';
import { decodePeerFrame } from '../../src/node/peer-frame.ts';
import { roundOf } from '../hotstuff/message-round.ts';
import { latin1 } from './latin1.ts';

export const FRAME_KINDS = [
  'proposal',
  'vote',
  'timeout',
  'certificate',
  'timeoutCertificate',
  'witness',
  'events',
  'fetch',
  'submission',
  'garbage',
] as const;

export type FrameKind = (typeof FRAME_KINDS)[number];

export interface SeenFrame {
  readonly frame: Uint8Array;
  readonly kind: FrameKind;
  /** 0 for what has none. */
  readonly round: number;
  /** Null for what is no message of the engine. */
  readonly message: HotstuffMessage | null;
}

/** Events seen and kept decoded. */
const MAX_EVENTS = 4096;

export class Lens {
  readonly #chainId: string;
  readonly #events = new Map<string, SignedEvent>();
  #last: SeenFrame | null = null;

  constructor(chainId: string) {
    this.#chainId = chainId;
  }

  look(frame: Uint8Array): SeenFrame {
    if (this.#last?.frame !== frame) this.#last = this.#see(frame);
    return this.#last;
  }

  #see(frame: Uint8Array): SeenFrame {
    const decoded = decodePeerFrame(frame);
    if (!decoded.ok) return { frame, kind: 'garbage', round: 0, message: null };
    if (decoded.value.kind === 'events') return { frame, kind: 'events', round: 0, message: null };
    const message = decodeMessage(this.#chainId, decoded.value.message, this.#decodeEvent);
    if (!message.ok || message.value.kind === 'blocks') return { frame, kind: 'garbage', round: 0, message: null };
    return { frame, kind: message.value.kind, round: roundOf(message.value), message: message.value };
  }

  readonly #decodeEvent: EventDecoder = (chainId, bytes): Result<SignedEvent> => {
    const key = latin1(bytes);
    const known = this.#events.get(key);
    if (known !== undefined) return ok(known);
    const event = decodeSignedEvent(chainId, bytes);
    if (event.ok) {
      if (this.#events.size >= MAX_EVENTS) this.#events.clear();
      this.#events.set(key, event.value);
    }
    return event;
  };
}
