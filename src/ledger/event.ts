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
import canonicalize from 'canonicalize';
import { assert } from '../base/assert.ts';
import { fromBase64 } from '../base/base64.ts';
import { concatBytes, textFromUtf8, utf8 } from '../base/bytes.ts';
import { bytes as bytesShape, codec, struct } from '../base/codec.ts';
import { taggedHash, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { checkEvent } from './event-check.ts';
import type { LedgerEvent, WrittenEvent } from './event-schema.ts';
import type { Identity } from './identity.ts';
import { isCanonicalJson, parseJson } from './json-text.ts';
import { checkSignatureForm, MAX_SIGNATURE_BYTES, type SignatureVerifier } from './signature.ts';

export type { LedgerEvent, WrittenEvent } from './event-schema.ts';

/** The whole tuple, signature included. */
export const MAX_EVENT_BYTES = 8192;

/** A submission in JSON may have blanks and escapes that its canonical form has not. */
export const MAX_SUBMISSION_BYTES = 2 * MAX_EVENT_BYTES;

/** The submission, the event, an action, its parameters; one to spare. */
const MAX_SUBMISSION_DEPTH = 5;

const EVENT_TAG = 'hotledger/event/1\n';

export interface SignedEvent {
  readonly id: Hash;
  /** In its newest form, whatever form was signed. */
  readonly event: LedgerEvent;
  /** The event schema whose form was signed. */
  readonly schema: number;
  /** The signer, parsed from `event.peerId`. */
  readonly identity: Identity;
  /** RFC 8785 JSON, as it was signed. */
  readonly json: Uint8Array;
  /** ed25519: 64 bytes; secp256k1: strict DER. */
  readonly signature: Uint8Array;
  /** The canonical tuple `[json, signature]`. */
  readonly bytes: Uint8Array;
}

/** `decodeSignedEvent`, or a memory of what it gave for the same bytes: a validator meets each event several times. */
export type EventDecoder = (chainId: string, bytes: Uint8Array) => Result<SignedEvent>;

const envelope = codec(
  struct<{ json: Uint8Array; signature: Uint8Array }>({
    json: bytesShape(MAX_EVENT_BYTES, 2),
    signature: bytesShape(MAX_SIGNATURE_BYTES, 1),
  }),
  MAX_EVENT_BYTES,
);

/**
 * The form only; `verifyEventSignature` is the expensive part.
 *
 * Refusals: `too-large`, `undecodable`, `non-canonical`, `signature-not-canonical`, and those of `checkEvent`.
 */
export function decodeSignedEvent(chainId: string, bytes: Uint8Array): Result<SignedEvent> {
  const decoded = envelope.decode(bytes);
  if (!decoded.ok) return decoded;
  const { json, signature } = decoded.value;
  let text: string;
  let parsed: unknown;
  try {
    text = textFromUtf8(json);
    parsed = JSON.parse(text);
  } catch {
    return refuse('undecodable', 'the bytes do not decode', { reason: 'not JSON in UTF-8' });
  }
  const checked = checkEvent(parsed);
  if (!checked.ok) return checked;
  if (!isCanonicalJson(text, parsed)) {
    return refuse('non-canonical', 'the event is not RFC 8785 JSON', { bytes: json.length });
  }
  const form = checkSignatureForm(checked.value.identity, signature);
  if (!form.ok) return form;
  return ok({ id: eventId(chainId, json), ...checked.value, json, signature, bytes });
}

/** The JSON submission as it was received. Refusals: those of `parseJson` and of `signedEventFromJson`. */
export function signedEventFromJsonText(chainId: string, bytes: Uint8Array): Result<SignedEvent> {
  const parsed = parseJson(bytes, { maxBytes: MAX_SUBMISSION_BYTES, maxDepth: MAX_SUBMISSION_DEPTH });
  return parsed.ok ? signedEventFromJson(chainId, parsed.value) : parsed;
}

/**
 * A parsed submission. From outside it comes by `signedEventFromJsonText`, which also sees duplicate keys.
 *
 * Refusals: `event-malformed`, `signature-required`, `unknown-field`, `too-large`, `signature-not-canonical`, and those of
 * `checkEvent`.
 */
export function signedEventFromJson(chainId: string, value: unknown): Result<SignedEvent> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('event-malformed', 'a submission is {"event": {...}, "signature": base64}', { field: 'submission' });
  }
  const { event: parsed, signature: encoded, ...others } = value as Record<string, unknown>;
  if (encoded === undefined || encoded === null || encoded === '') {
    return refuse('signature-required', 'a submission carries the base64 signature of its event');
  }
  for (const name of Object.keys(others)) {
    return refuse('unknown-field', 'a submission has only event and signature', { field: name.slice(0, 64) });
  }
  const checked = checkEvent(parsed);
  if (!checked.ok) return checked;
  const signature = typeof encoded === 'string' ? fromBase64(encoded) : undefined;
  if (signature === undefined) {
    return refuse('signature-not-canonical', 'the signature does not have the required form', { reason: 'not base64' });
  }
  const form = checkSignatureForm(checked.value.identity, signature);
  if (!form.ok) return form;
  const json = canonicalJson(parsed);
  const bytes = encodeSignedEvent(json, signature);
  if (bytes.length > MAX_EVENT_BYTES) {
    return refuse('too-large', 'the event is larger than allowed', { bytes: bytes.length, maxBytes: MAX_EVENT_BYTES });
  }
  return ok({ id: eventId(chainId, json), ...checked.value, json, signature, bytes });
}

/** The last one is kept: a process is of one chain. */
let lastTag: { readonly chainId: string; readonly tag: Uint8Array } = { chainId: '', tag: new Uint8Array(0) };

function signingTag(chainId: string): Uint8Array {
  if (lastTag.chainId !== chainId) lastTag = { chainId, tag: utf8(`${EVENT_TAG}${chainId}\n`) };
  return lastTag.tag;
}

/** What the node signs. @param json of `canonicalEventJson` */
export function eventSigningBytes(chainId: string, json: Uint8Array): Uint8Array {
  return concatBytes(signingTag(chainId), json);
}

export function eventId(chainId: string, json: Uint8Array): Hash {
  return taggedHash(signingTag(chainId), json);
}

export function encodeSignedEvent(json: Uint8Array, signature: Uint8Array): Uint8Array {
  return envelope.encode({ json, signature });
}

/** RFC 8785 JSON of an event that this program makes itself, ready to be signed. */
export function canonicalEventJson(event: WrittenEvent): Uint8Array {
  return canonicalJson(event);
}

function canonicalJson(value: unknown): Uint8Array {
  const text = canonicalize(value);
  assert(text !== undefined, 'a checked event has a canonical form');
  return utf8(text);
}

/** Refusals: `signature-not-canonical`, `signature-invalid`. */
export function verifyEventSignature(chainId: string, signed: SignedEvent, verifier: SignatureVerifier): Result<void> {
  const form = checkSignatureForm(signed.identity, signed.signature);
  if (!form.ok) return form;
  if (verifier.verify(signed.identity, eventSigningBytes(chainId, signed.json), signed.signature)) return ok(undefined);
  return refuse('signature-invalid', "the signature is not the peer's over this event on this chain", {
    peerId: signed.identity.peerId,
    event: signed.id,
  });
}
