/** The bounds of what a peer may send. Go has none; what a Go cluster of ordinary settings sends is far below all of them. */
import type { Detail, Refusal } from '../../base/result.ts';

export interface WireLimits {
  /** Of one request, the bytes of a snapshot apart. A message is held in memory as a whole. */
  readonly maxRequestBytes: number;
  /** Of one response, or its error text. */
  readonly maxResponseBytes: number;
  /** In one AppendEntries. hashicorp/raft allows 1024 at most (`config.go`, MaxAppendEntries). */
  readonly maxEntries: number;
  /** Of a configuration, and addresses in a list of peers. */
  readonly maxServers: number;
  /** UTF-8 bytes of an id or an address. */
  readonly maxNameBytes: number;
  /** Of values within values, in fields that are not known here. */
  readonly maxDepth: number;
}

export const DEFAULT_WIRE_LIMITS: WireLimits = {
  maxRequestBytes: 64 << 20,
  maxResponseBytes: 256 << 10,
  maxEntries: 8192,
  maxServers: 1024,
  maxNameBytes: 512,
  maxDepth: 32,
};

/** What is wrong with the bytes. Thrown within this folder only; whoever decodes makes a refusal of it. */
export class WireError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

export function refuseWire(code: string, message: string, details: Readonly<Record<string, Detail>> = {}): never {
  throw new WireError({ code, message, details });
}

/** @param expected what should have been there, in words */
export function undecodable(expected: string): never {
  refuseWire('undecodable', 'the bytes do not decode', { expected });
}
