/**
 * Events: what is signed, how it is named, how it travels.
 *
 * The canonical event IS its RFC 8785 JSON (sorted keys, shortest numbers, no spaces). Its signer signs
 *
 *     hotledger/event/1\n  chain id  \n  RFC 8785 JSON
 *
 * in every transport form, and its id is the SHA-256 of exactly these bytes: the signature is not part of it, so that
 * another valid signature over the same event is the same event. In blocks and batches an event travels as the
 * canonical tuple `[JSON bytes, signature]`; a submission in JSON is `{"event": {...}, "signature": base64}`.
 */
import type { Hash } from '../base/hash.ts';
import { refuse, type Result } from '../base/result.ts';
import type { Identity } from './identity.ts';
import type { LedgerEvent } from './event-schema.ts';

export type { LedgerEvent } from './event-schema.ts';

/** The whole tuple, signature included. */
export const MAX_EVENT_BYTES = 8192;

export interface SignedEvent {
  readonly id: Hash;
  readonly event: LedgerEvent;
  /** The signer, parsed from `event.peerId`. */
  readonly identity: Identity;
  /** RFC 8785 JSON, as it was signed. */
  readonly json: Uint8Array;
  /** ed25519: 64 bytes; secp256k1: strict DER. */
  readonly signature: Uint8Array;
  /** The canonical tuple `[json, signature]`. */
  readonly bytes: Uint8Array;
}

export function decodeSignedEvent(_chainId: string, _bytes: Uint8Array): Result<SignedEvent> {
  return refuse('unfinished', 'unfinished');
}

/** The parsed JSON submission. Prefer `signedEventFromJsonText`, which also sees duplicate keys. */
export function signedEventFromJson(_chainId: string, _value: unknown): Result<SignedEvent> {
  return refuse('unfinished', 'unfinished');
}

/** The JSON submission as it was received: at most 16 KiB, no duplicate keys, at most 8 levels deep. */
export function signedEventFromJsonText(_chainId: string, _bytes: Uint8Array): Result<SignedEvent> {
  return refuse('unfinished', 'unfinished');
}

export function eventSigningBytes(_chainId: string, _json: Uint8Array): Uint8Array {
  return new Uint8Array();
}

export function encodeSignedEvent(_json: Uint8Array, _signature: Uint8Array): Uint8Array {
  return new Uint8Array();
}

/** RFC 8785 JSON of an event that this program makes itself, ready to be signed. */
export function canonicalEventJson(_event: LedgerEvent): Uint8Array {
  return new Uint8Array();
}
