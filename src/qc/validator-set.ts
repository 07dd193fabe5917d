/**
 * The validators of one epoch: who they are, which BLS keys they vote with, and how many make a quorum.
 *
 * A set is made from registrations, whose proofs of possession are checked (`makeValidatorSet`), or read from bytes
 * whose digest a certificate of the epoch before covers (`decodeValidatorSet`). Nothing else makes one.
 */
import { concatBytes, toHex, utf8 } from '../base/bytes.ts';
import { codec, fixedBytes, list, struct, text, uint } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { assert } from '../base/assert.ts';
import { MAX_PEER_ID_LENGTH, possessionPreimage } from './ballot.ts';
import { MAX_VALIDATORS, type Signers } from './bitmap.ts';
import { PUBLIC_KEY_BYTES, type SignatureScheme } from './scheme.ts';

export interface Validator {
  /** Canonical base58 text. */
  readonly peerId: string;
  /** A compressed point of G1, 48 bytes. */
  readonly blsPublicKey: Uint8Array;
}

export interface Registration extends Validator {
  /** Signature of `possessionPreimage` by the key itself, 96 bytes. */
  readonly proofOfPossession: Uint8Array;
}

/** How many of `n` validators may be Byzantine. */
export function faultsOf(n: number): number {
  return Math.floor((n - 1) / 3);
}

/** n - f: any two quorums share a correct validator. Never 2f + 1, which for n = 6 is 3: two disjoint halves. */
export function quorumOf(n: number): number {
  return n - faultsOf(n);
}

const madeHere = Symbol('made by validator-set.ts');

export class ValidatorSet {
  readonly epoch: number;
  /** Sorted by peer id (code units), each peer id and each key once. The position is the validator's index. */
  readonly members: readonly Validator[];
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  /** SHA-256 of the encoding under its own tag: the `nextValidatorSet` of the epoch before. */
  readonly digest: Hash;
  readonly #indexes: ReadonlyMap<string, number>;

  /** Use `makeValidatorSet` or `decodeValidatorSet`. */
  constructor(proof: typeof madeHere, epoch: number, members: readonly Validator[]) {
    assert(proof === madeHere, 'a validator set is made by its own file', { epoch });
    this.epoch = epoch;
    this.members = members;
    this.n = members.length;
    this.f = faultsOf(this.n);
    this.quorum = quorumOf(this.n);
    this.digest = digestOf(encodeValidatorSet(this));
    this.#indexes = new Map(members.map(({ peerId }, index) => [peerId, index]));
  }

  indexOf(peerId: string): number | undefined {
    return this.#indexes.get(peerId);
  }

  /** @throws AssertionError when there is no such member: an index from outside is checked before */
  member(index: number): Validator {
    const member = this.members[index];
    assert(member !== undefined, 'the index is of a member', { index, n: this.n });
    return member;
  }

  publicKeysOf(signers: Signers): Uint8Array[] {
    return signers.map((signer) => this.member(signer).blsPublicKey);
  }
}

/**
 * Checks every registration. Refusals: `validators-out-of-bounds`, `duplicate-validator`, `duplicate-bls-key`,
 * `peer-id-too-long`, `public-key-malformed`, `possession-unproven`; those of one registration carry its `peerId`.
 *
 * @param registrations in any order
 */
export function makeValidatorSet(
  epoch: number,
  registrations: readonly Registration[],
  scheme: SignatureScheme,
): Result<ValidatorSet> {
  const sorted = registrations.toSorted((a, b) => (a.peerId < b.peerId ? -1 : a.peerId > b.peerId ? 1 : 0));
  const members = sorted.map(({ peerId, blsPublicKey }) => ({ peerId, blsPublicKey }));
  const form = checkMembers(members);
  if (!form.ok) return form;
  for (const registration of sorted) {
    const possession = checkPossession(registration, scheme);
    if (!possession.ok) return possession;
  }
  return ok(new ValidatorSet(madeHere, epoch, members));
}

function checkPossession(registration: Registration, scheme: SignatureScheme): Result<void> {
  const { peerId, blsPublicKey, proofOfPossession } = registration;
  const key = scheme.checkPublicKey(blsPublicKey);
  if (!key.ok) return refuse(key.refusal.code, key.refusal.message, { ...key.refusal.details, peerId });
  // Without this proof a key could be chosen as the difference of others', and sign for them in an aggregate.
  if (!scheme.verify(blsPublicKey, possessionPreimage(peerId, blsPublicKey), proofOfPossession)) {
    return refuse('possession-unproven', 'the proof of possession is not a signature of this key and peer id', {
      peerId,
    });
  }
  return ok(undefined);
}

/** @param members sorted by peer id, if they are lawful */
function checkMembers(members: readonly Validator[]): Result<void> {
  if (members.length < 1 || members.length > MAX_VALIDATORS) {
    return refuse('validators-out-of-bounds', `a validator set has 1 to ${MAX_VALIDATORS} members`, {
      validators: members.length,
    });
  }
  const keys = new Map<string, string>();
  let previous = '';
  for (const { peerId, blsPublicKey } of members) {
    if (peerId.length > MAX_PEER_ID_LENGTH) {
      return refuse('peer-id-too-long', `a peer id has at most ${MAX_PEER_ID_LENGTH} characters`, {
        length: peerId.length,
      });
    }
    if (peerId === previous) return refuse('duplicate-validator', 'a peer id is listed twice', { peerId });
    if (peerId < previous) {
      return refuse('validators-unordered', 'validators are listed in the order of their peer ids', {
        peerId,
        previous,
      });
    }
    const name = toHex(blsPublicKey);
    const owner = keys.get(name);
    if (owner !== undefined) {
      return refuse('duplicate-bls-key', 'two validators have one BLS key', { peerId, other: owner });
    }
    keys.set(name, peerId);
    previous = peerId;
  }
  return ok(undefined);
}

/** The members without their proofs: what a digest is over, and what a reader or a worker is given. */
export function encodeValidatorSet({ epoch, members }: Pick<ValidatorSet, 'epoch' | 'members'>): Uint8Array {
  return setCodec.encode({ epoch, members });
}

/**
 * Refusals: those of `Codec.decode`, `validator-set-mismatch`, and of the members' form as in `makeValidatorSet`, with
 * `validators-unordered`.
 *
 * @param expectedDigest from a verified certificate, or of a set made on this machine: it stands for the proofs of
 *   possession, which a quorum has checked
 */
export function decodeValidatorSet(bytes: Uint8Array, expectedDigest: Hash): Result<ValidatorSet> {
  const decoded = setCodec.decode(bytes);
  if (!decoded.ok) return decoded;
  const { epoch, members } = decoded.value;
  const digest = digestOf(bytes);
  if (digest !== expectedDigest) {
    return refuse('validator-set-mismatch', 'not the validator set that was certified', { digest, expectedDigest });
  }
  const form = checkMembers(members);
  return form.ok ? ok(new ValidatorSet(madeHere, epoch, members)) : form;
}

function digestOf(encoded: Uint8Array): Hash {
  return sha256Hex(concatBytes(DIGEST_TAG, encoded));
}

const DIGEST_TAG = utf8('hotledger/validator-set/1\n');
const MAX_SET_BYTES = 32 + MAX_VALIDATORS * (MAX_PEER_ID_LENGTH + PUBLIC_KEY_BYTES + 8);

const setCodec = codec(
  struct<{ epoch: number; members: readonly Validator[] }>({
    epoch: uint(),
    members: list(
      struct<Validator>({ peerId: text(MAX_PEER_ID_LENGTH), blsPublicKey: fixedBytes(PUBLIC_KEY_BYTES) }),
      MAX_VALIDATORS,
    ),
  }),
  MAX_SET_BYTES,
);
