/**
 * Signature checks in one buffer, which crosses to a thread by changing hands: a message of many small arrays costs
 * more than the checks that it saves the main thread from. A check is
 *
 *     key type (1 byte), key length (1), signature length (1), message length (4, big-endian), key, signature, message
 *
 * Both ends are this program, of one version; the bytes come from nowhere else.
 */
import { assert } from '../base/assert.ts';
import type { KeyType } from '../ledger/identity.ts';
import type { SigningKey } from '../ledger/signature.ts';

export interface SignatureCheck extends SigningKey {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const KEY_TYPES: readonly KeyType[] = ['ed25519', 'secp256k1'];
const HEAD_BYTES = 7;
const MAX_PART_BYTES = 255;

/** @throws AssertionError when a key or signature is longer than 255 bytes */
export function packChecks(checks: readonly SignatureCheck[]): Uint8Array<ArrayBuffer> {
  const bytes = checks.reduce((sum, check) => sum + packedBytes(check), 0);
  const packed = new Uint8Array(bytes);
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { keyType, message, publicKey, signature } of checks) {
    assert(publicKey.length <= MAX_PART_BYTES && signature.length <= MAX_PART_BYTES, 'keys and signatures are short');
    view.setUint8(at, KEY_TYPES.indexOf(keyType));
    view.setUint8(at + 1, publicKey.length);
    view.setUint8(at + 2, signature.length);
    view.setUint32(at + 3, message.length);
    at += HEAD_BYTES;
    for (const part of [publicKey, signature, message]) {
      packed.set(part, at);
      at += part.length;
    }
  }
  return packed;
}

/** The parts are views of `packed`. */
export function unpackChecks(packed: Uint8Array): SignatureCheck[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const checks: SignatureCheck[] = [];
  for (let at = 0; at < packed.length;) {
    const keyType = KEY_TYPES[view.getUint8(at)];
    assert(keyType !== undefined, 'a check is of a known type of key', { at });
    const keyEnd = at + HEAD_BYTES + view.getUint8(at + 1);
    const signatureEnd = keyEnd + view.getUint8(at + 2);
    const messageEnd = signatureEnd + view.getUint32(at + 3);
    checks.push({
      keyType,
      publicKey: packed.subarray(at + HEAD_BYTES, keyEnd),
      signature: packed.subarray(keyEnd, signatureEnd),
      message: packed.subarray(signatureEnd, messageEnd),
    });
    at = messageEnd;
  }
  return checks;
}

function packedBytes({ message, publicKey, signature }: SignatureCheck): number {
  return HEAD_BYTES + publicKey.length + signature.length + message.length;
}
