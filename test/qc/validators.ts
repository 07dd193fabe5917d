/** Validators with known keys, for tests: the native scheme, made once per size. */
import { unwrap } from '../../src/base/result.ts';
import { sha256Hex, type Hash } from '../../src/base/hash.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { possessionPreimage, votePreimage, type ChainBinding, type VoteData } from '../../src/qc/ballot.ts';
import { genesisCertificate, type EpochContext, type QuorumCertificate } from '../../src/qc/certificate.ts';
import { secretKeyFromSeed } from '../../src/qc/keys.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet, type Registration, type ValidatorSet } from '../../src/qc/validator-set.ts';

export const CHAIN_ID = 'test-0123456789abcdef0123456789abcdef';
export const EPOCH = 0;
export const chain: ChainBinding = { chainId: CHAIN_ID, epoch: EPOCH };

export function hashOf(name: string): Hash {
  return sha256Hex(utf8(name));
}

export function secretKey(number: number): Uint8Array {
  return secretKeyFromSeed(Uint8Array.from({ length: 32 }, (_, i) => (number >>> (8 * (i % 4))) & 0xff));
}

/** Not a real peer id: this room treats them as text, in this order for numbers below a thousand. */
export function peerId(number: number): string {
  return `12D3KooWTestValidator${String(number).padStart(3, '0')}`;
}

export function registration(number: number, scheme: SignatureScheme = nativeScheme): Registration {
  const blsPublicKey = scheme.publicKeyOf(secretKey(number));
  const preimage = possessionPreimage(peerId(number), blsPublicKey);
  return { peerId: peerId(number), blsPublicKey, proofOfPossession: scheme.sign(secretKey(number), preimage) };
}

const sets = new Map<number, ValidatorSet>();

/** Validator i signs with `secretKey(i)`. */
export function validatorSet(n: number): ValidatorSet {
  const known = sets.get(n);
  if (known !== undefined) return known;
  const registrations = Array.from({ length: n }, (_, i) => registration(i));
  const set = unwrap(makeValidatorSet(EPOCH, registrations, nativeScheme));
  sets.set(n, set);
  return set;
}

export const GENESIS = genesisCertificate(EPOCH, hashOf('genesis'));

export function contextOf(n: number): EpochContext {
  return { chainId: CHAIN_ID, validators: validatorSet(n), genesis: GENESIS };
}

export function voteFor(round: number, name = `block ${round}`): VoteData {
  return {
    round,
    blockId: hashOf(name),
    parentRound: round - 1,
    parentId: hashOf(`block ${round - 1}`),
    commit: {
      height: round - 1,
      round: round - 1,
      blockId: hashOf(`block ${round - 1}`),
      stateRoot: hashOf(`state ${round - 1}`),
      nextValidatorSet: null,
    },
  };
}

export function certificateOf(vote: VoteData, signers: readonly number[], on: ChainBinding = chain): QuorumCertificate {
  const preimage = votePreimage(on, vote);
  const signatures = signers.map((signer) => nativeScheme.sign(secretKey(signer), preimage));
  return { epoch: on.epoch, vote, signers, signature: unwrap(nativeScheme.aggregate(signatures)) };
}

/** 0, 1, 2, ... */
export function firstOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
