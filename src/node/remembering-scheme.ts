/**
 * A signature scheme that remembers which signatures it found true. One certificate reaches a node many times: as a
 * message, in the next proposal, in the seals that gossip carries, in records of the DHT and in reads; its pairing, the
 * most expensive thing that a node does, is then paid once.
 *
 * What is remembered is the hash of everything that was checked: keys, messages and signature. What was false is
 * checked again, so that nobody can fill the memory with rubbish.
 */
import { LRUCache } from 'lru-cache';
import { concatBytes } from '../base/bytes.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import type { SignatureScheme, SignerGroup } from '../qc/scheme.ts';

/** @param maxRemembered signatures; about 200 bytes each */
export function rememberingScheme(scheme: SignatureScheme, maxRemembered: number): SignatureScheme {
  const remembered = new LRUCache<Hash, true>({ max: maxRemembered });
  const checkedOnce = (groups: readonly SignerGroup[], signature: Uint8Array, check: () => boolean): boolean => {
    const digest = digestOf(groups, signature);
    if (remembered.get(digest) === true) return true;
    if (!check()) return false;
    remembered.set(digest, true);
    return true;
  };
  return {
    ...scheme,
    verify: (publicKey, message, signature) =>
      checkedOnce([{ publicKeys: [publicKey], message }], signature, () =>
        scheme.verify(publicKey, message, signature),
      ),
    verifyAggregate: (publicKeys, message, signature) =>
      checkedOnce([{ publicKeys, message }], signature, () => scheme.verifyAggregate(publicKeys, message, signature)),
    verifyAggregateOfDistinct: (groups, signature) =>
      checkedOnce(groups, signature, () => scheme.verifyAggregateOfDistinct(groups, signature)),
  };
}

/** Lengths go before what they are of, so that no two inputs give the same bytes. */
function digestOf(groups: readonly SignerGroup[], signature: Uint8Array): Hash {
  const parts: Uint8Array[] = [lengths(groups.length, signature.length), signature];
  for (const { message, publicKeys } of groups) {
    parts.push(lengths(message.length, publicKeys.length), message);
    for (const key of publicKeys) parts.push(lengths(key.length), key);
  }
  return sha256Hex(concatBytes(...parts));
}

function lengths(...values: readonly number[]): Uint8Array {
  const encoded = new DataView(new ArrayBuffer(4 * values.length));
  for (const [position, value] of values.entries()) encoded.setUint32(4 * position, value);
  return new Uint8Array(encoded.buffer);
}
