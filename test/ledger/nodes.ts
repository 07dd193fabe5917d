/** Nodes, events and blocks for tests of the transition: well formed, and signed by nobody. */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { utf8 } from '../../src/base/bytes.ts';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256 } from '../../src/base/hash.ts';
import { ok, unwrap, type Result } from '../../src/base/result.ts';
import type { BlockContext } from '../../src/ledger/block-context.ts';
import { readEntry } from '../../src/ledger/entries.ts';
import { signedEventFromJson } from '../../src/ledger/event.ts';
import { peerIdFromPublicKey, type KeyType } from '../../src/ledger/identity.ts';
import { DEFAULT_PARAMETERS, encodeParameters, type ChainParameters } from '../../src/ledger/parameters.ts';
import type { NodeEntry, NodeRecord } from '../../src/ledger/record.ts';
import { PARAMETERS_KEY, type StateChange, type StateReader } from '../../src/ledger/state.ts';
import { applyEvent, checkApplies } from '../../src/ledger/transition.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { makeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';

export const CHAIN_ID = 'test-0123456789abcdef0123456789abcdef';
export const START = 1_724_673_600;

/** The same peer id for the same number. */
export function peerOf(number: number, keyType: KeyType = 'ed25519'): string {
  const seed = sha256(utf8(`peer ${number}`));
  if (keyType === 'secp256k1') return peerIdFromPublicKey(keyType, secp256k1.getPublicKey(seed));
  seed[31] = 1; // canonical, whether a point or not
  return peerIdFromPublicKey(keyType, seed);
}

/** Of good form for any ed25519 key: R with y = 2, S = 1. */
const ED25519_SIGNATURE = Uint8Array.from({ length: 64 }, (_, i) => (i === 0 ? 2 : i === 32 ? 1 : 0));
/** r = s = 1. */
const SECP256K1_SIGNATURE = Uint8Array.of(0x30, 6, 2, 1, 1, 2, 1, 1);

export function signatureFor(peerId: string): Uint8Array {
  return peerId.startsWith('12D3') ? ED25519_SIGNATURE : SECP256K1_SIGNATURE;
}

export type EventFields = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly peerId: string;
  readonly seq: number;
};

export function submissionOf(fields: EventFields): { event: unknown; signature: string } {
  return { event: { time: START, ...fields }, signature: toBase64(signatureFor(fields.peerId)) };
}

/** @throws CodedError when the fields make no event */
export function eventOf(fields: EventFields): VerifiedEvent {
  return verifiedEvent(unwrap(signedEventFromJson(CHAIN_ID, submissionOf(fields))), 'signature-checked');
}

export const NO_CAPABILITIES = {
  isTwitterScraper: false,
  isDiscordScraper: false,
  isTelegramScraper: false,
  isWebScraper: false,
};

export function joinedFields(peerId: string, seq: number, more: Readonly<Record<string, unknown>> = {}): EventFields {
  const multiaddrs = ['/ip4/203.0.113.20/udp/4001/quic-v1'];
  return { type: 'joined', peerId, seq, multiaddrs, version: 'v0.8.4', ...NO_CAPABILITIES, ...more };
}

/** Says yes to every key and signature: these tests are not about them. */
const credulousScheme = {
  name: 'credulous',
  checkPublicKey: () => ok(undefined),
  verify: () => true,
} as unknown as SignatureScheme;

export function validatorsOf(peerIds: readonly string[], epoch = 0): ValidatorSet {
  const registrations = peerIds.map((peerId, i) => ({
    peerId,
    blsPublicKey: new Uint8Array(48).fill(i + 1),
    proofOfPossession: new Uint8Array(96),
  }));
  return unwrap(makeValidatorSet(epoch, registrations, credulousScheme));
}

/** A chain of blocks with one event each. */
export class TestChain implements StateReader {
  readonly entries = new Map<string, Uint8Array>();
  validators: ValidatorSet;
  epoch = 0;
  height = 1;
  now = START;

  constructor(validators: readonly string[], parameters: Partial<ChainParameters> = {}) {
    this.validators = validatorsOf(validators);
    this.entries.set(PARAMETERS_KEY, encodeParameters({ ...DEFAULT_PARAMETERS, ...parameters }));
  }

  get(key: string): Uint8Array | undefined {
    return this.entries.get(key);
  }

  get context(): BlockContext {
    const { epoch, height, now: timestamp, validators } = this;
    return { chainId: CHAIN_ID, epoch, height, timestamp, validators };
  }

  /** Applies the event in a block of its own, at the present time unless the fields say otherwise. */
  apply(fields: EventFields): Result<readonly StateChange[]> {
    return this.applyVerified(eventOf({ time: this.now, ...fields }));
  }

  applyVerified(event: VerifiedEvent): Result<readonly StateChange[]> {
    const result = applyEvent(this, event, this.context);
    this.#judgeTheSame(event, codeOf(result));
    if (!result.ok) return result;
    this.commit(result.value);
    return result;
  }

  /** Whatever a test applies, the cheap judgement of it is that of the transition. */
  #judgeTheSame(event: VerifiedEvent, code: string): void {
    const judged = codeOf(checkApplies(this, event, this.context));
    if (judged !== code) throw new Error(`judged ${judged}, and applied with the result ${code}`);
  }

  commit(changes: readonly StateChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.entries.delete(key);
      else this.entries.set(key, value);
    }
    this.height += 1;
  }

  entry(peerId: string): NodeEntry | undefined {
    return readEntry(this, peerId);
  }

  record(peerId: string): NodeRecord {
    const entry = this.entry(peerId);
    if (entry?.kind !== 'record') throw new TypeError(`no record of ${peerId}`);
    return entry;
  }
}

/** The code of a refusal, or 'applied'. */
export function codeOf(result: Result<unknown>): string {
  return result.ok ? 'applied' : result.refusal.code;
}
