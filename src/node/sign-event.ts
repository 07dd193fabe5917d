/** A signed event made on this machine, by the key of the node that it is about. */
import { sha256Hex, type Hash } from '../base/hash.ts';
import { canonicalEventJson, encodeSignedEvent, eventSigningBytes, type WrittenEvent } from '../ledger/event.ts';
import type { IdentityKey } from './keys.ts';

export interface OwnSignedEvent {
  readonly id: Hash;
  readonly event: WrittenEvent;
  /** The canonical tuple, as batches carry it. */
  readonly bytes: Uint8Array;
  /** The JSON submission. */
  readonly submission: { readonly event: WrittenEvent; readonly signature: string };
}

/** What an event says, without what every event carries. */
export type EventBody = WrittenEvent extends infer E
  ? E extends WrittenEvent
    ? Omit<E, 'peerId' | 'seq' | 'time'>
    : never
  : never;

export function signEvent(key: Pick<IdentityKey, 'sign'>, chainId: string, event: WrittenEvent): OwnSignedEvent {
  const json = canonicalEventJson(event);
  const signed = eventSigningBytes(chainId, json);
  const signature = key.sign(signed);
  return {
    id: sha256Hex(signed),
    event,
    bytes: encodeSignedEvent(json, signature),
    submission: { event, signature: Buffer.from(signature).toString('base64') },
  };
}
