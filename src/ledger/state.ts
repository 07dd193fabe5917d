/**
 * The authenticated state: a map from text keys to canonical bytes. This file names the keys; the values' codecs are
 * beside what they describe (`record.ts`, `parameters.ts`, `quorum-actions.ts`).
 */
import type { Hash } from '../base/hash.ts';

/** Committed state, or an overlay over it, at one point of the chain. Synchronous: an input of the pure rooms. */
export interface StateReader {
  get(key: string): Uint8Array | undefined;
}

/** What one event does to one key; `undefined` deletes it. */
export interface StateChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** A change of the committed state with what it replaced, so that who follows the state need not look that up. */
export interface CommittedChange extends StateChange {
  readonly before: Uint8Array | undefined;
}

export const NODE_KEY_PREFIX = 'node/';

/** What a cluster of the older system held when it became this chain, and what its commands changed since. */
export const LEGACY_KEY_PREFIX = 'legacy/';

/** `ParameterSchedule`: the chain's parameters now and, after a change, from the next height. */
export const PARAMETERS_KEY = 'parameters';

/** `SchemaActivation`: the last change of the event schema that was decided; absent before the first. */
export const SCHEMA_KEY = 'schema';

/** The last one is kept: an event asks for its node's key half a dozen times, and one text is hashed and compared once. */
let lastNode = { peerId: '', key: NODE_KEY_PREFIX };

/** @param peerId canonical base58 */
export function nodeKey(peerId: string): string {
  if (lastNode.peerId !== peerId) lastNode = { peerId, key: NODE_KEY_PREFIX + peerId };
  return lastNode.key;
}

/** @param key any text, of any length */
export function legacyKey(key: string): string {
  return LEGACY_KEY_PREFIX + key;
}

export const PROPOSAL_KEY_PREFIX = 'proposal/';

/** @param proposal event id of the `proposed` event */
export function proposalKey(proposal: Hash): string {
  return PROPOSAL_KEY_PREFIX + proposal;
}

/** The proposals of one validator that were open when last looked at. */
export function proposerKey(peerId: string): string {
  return `proposer/${peerId}`;
}

/** One piece of evidence a validator and epoch. */
export function evidenceKey(epoch: number, offender: string): string {
  return `evidence/${epoch}/${offender}`;
}

/**
 * Changes piled on a reader, so that several steps of one event see each other's results.
 * A key that is written twice appears once in `changes()`, at the place of its first write.
 */
export class Overlay implements StateReader {
  readonly #base: StateReader;
  readonly #written = new Map<string, Uint8Array | undefined>();

  constructor(base: StateReader) {
    this.#base = base;
  }

  get(key: string): Uint8Array | undefined {
    return this.#written.has(key) ? this.#written.get(key) : this.#base.get(key);
  }

  set(key: string, value: Uint8Array | undefined): void {
    this.#written.set(key, value);
  }

  changes(): readonly StateChange[] {
    const changes: StateChange[] = [];
    for (const [key, value] of this.#written) changes.push({ key, value });
    return changes;
  }
}
