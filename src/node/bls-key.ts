/** The BLS key of a validator: its file, and the registration that shows possession of it to the others. */
import { randomBytes } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import { CodedError, unwrap } from '../base/result.ts';
import { possessionPreimage } from '../qc/ballot.ts';
import { checkSecretKey, secretKeyFromSeed } from '../qc/keys.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { readKeyFile, writeKeyFile } from './key-file.ts';
import { leaveMark } from './mark-file.ts';

/** What an operator sends to whoever makes the genesis: one entry of its `validators`, as JSON. */
export interface RegistrationFile {
  readonly peerId: string;
  /** 96 hex digits. */
  readonly blsPublicKey: string;
  /** 192 hex digits: the key's signature over itself and the peer id. */
  readonly proofOfPossession: string;
  readonly multiaddrs: readonly string[];
}

export function generateBlsKey(): Uint8Array {
  return secretKeyFromSeed(randomBytes(32));
}

/** The mark of a BLS key that has signed nothing; `first-signature.ts` says what it is for. */
export function neverSignedMark(blsKeyFile: string): string {
  return `${blsKeyFile}.never-signed`;
}

/** For a key that was just made: it leaves the mark that its validator may begin to sign. @throws CodedError `key-exists` */
export async function saveBlsKey(path: string, secretKey: Uint8Array): Promise<void> {
  await writeKeyFile(path, secretKey);
  await leaveMark(
    neverSignedMark(path),
    'This key has signed nothing. The first start of its validator removes this file.',
  );
}

/** @returns 32 bytes @throws CodedError `key-missing`, `file-unusable`, `key-file-permissions`, `secret-key-malformed` */
export async function loadBlsKey(path: string): Promise<Uint8Array> {
  const secretKey = await readKeyFile(path);
  const checked = checkSecretKey(secretKey);
  if (!checked.ok) throw new CodedError({ ...checked.refusal, message: `${path}: ${checked.refusal.message}` });
  return secretKey;
}

export function registrationOf(
  peerId: string,
  secretKey: Uint8Array,
  multiaddrs: readonly string[],
  scheme: SignatureScheme,
): RegistrationFile {
  unwrap(checkSecretKey(secretKey));
  const publicKey = scheme.publicKeyOf(secretKey);
  return {
    peerId,
    blsPublicKey: toHex(publicKey),
    proofOfPossession: toHex(scheme.sign(secretKey, possessionPreimage(peerId, publicKey))),
    multiaddrs,
  };
}
