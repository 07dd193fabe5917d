/**
 * Keys of a simulated network, and the book of who really signed what. Signatures cost next to nothing and fail as real ones
 * fail: changed bytes, another key, another message, a missing signer. The book is what certificates are checked
 * against, by a way that has nothing in common with the production check.
 */
import { equalBytes, utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import type { Identity } from '../../src/ledger/identity.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import { genesisState, type GenesisState } from '../../src/ledger/genesis-state.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { possessionPreimage } from '../../src/qc/ballot.ts';
import { genesisCertificate, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import { secretKeyFromSeed } from '../../src/qc/keys.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { makeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';
import { fastScheme, keyedDigest } from '../hotstuff/fast-scheme.ts';
import { peerOf, START } from '../ledger/nodes.ts';
import { latin1 } from './latin1.ts';

/** Unix milliseconds at which every simulation starts. */
export const START_MS = START * 1000;

export class SigningBook {
  readonly #signed: Set<string>[];

  constructor(validators: number) {
    this.#signed = Array.from({ length: validators }, () => new Set());
  }

  add(signer: number, preimage: Uint8Array): void {
    this.#signed[signer]?.add(latin1(preimage));
  }

  has(signer: number, preimage: Uint8Array): boolean {
    return this.#signed[signer]?.has(latin1(preimage)) ?? false;
  }
}

/** Everything about a network that its nodes are given before they start. */
export interface SimulatedChain {
  readonly genesis: Genesis;
  readonly state: GenesisState;
  readonly chainId: string;
  readonly scheme: SignatureScheme;
  readonly validators: ValidatorSet;
  readonly genesisCertificate: VerifiedCertificate;
  /** By index in the set. */
  readonly secretKeys: readonly Uint8Array[];
}

const chains = new Map<string, SimulatedChain>();

/** Made once: a chain is a constant. */
export function simulatedChain(
  validators: number,
  commitDepth: 2 | 3,
  scheme: SignatureScheme = fastScheme,
): SimulatedChain {
  const name = `${scheme.name} ${validators} ${commitDepth}`;
  const known = chains.get(name) ?? makeChain(validators, commitDepth, scheme);
  chains.set(name, known);
  return known;
}

function makeChain(validators: number, commitDepth: 2 | 3, scheme: SignatureScheme): SimulatedChain {
  const secrets = new Map<string, Uint8Array>();
  const registrations = Array.from({ length: validators }, (_, i) => {
    const peerId = peerOf(i);
    const secretKey = secretKeyFromSeed(sha256(utf8(`simulated validator ${i}`)));
    secrets.set(peerId, secretKey);
    const blsPublicKey = scheme.publicKeyOf(secretKey);
    const proofOfPossession = scheme.sign(secretKey, possessionPreimage(peerId, blsPublicKey));
    return { peerId, blsPublicKey, proofOfPossession, multiaddrs: [] };
  });
  const genesis: Genesis = {
    name: `simulated-${validators}-${commitDepth}`,
    timestamp: START,
    commitDepth,
    parameters: DEFAULT_PARAMETERS,
    validators: registrations,
    records: [],
  };
  const set = unwrap(makeValidatorSet(0, registrations, scheme));
  const state = genesisState(genesis);
  return {
    genesis,
    state,
    chainId: state.chainId,
    scheme,
    validators: set,
    genesisCertificate: genesisCertificate(0, state.block.id),
    secretKeys: set.members.map(({ peerId }) => secrets.get(peerId)!),
  };
}

/** Of the form that an ed25519 signature has: R and S canonical. */
export function signAsPeer(peerId: string, message: Uint8Array): Uint8Array {
  const signature = keyedDigest(utf8(peerId), message, 64);
  signature[31] = 1;
  signature[63] = 1;
  return signature;
}

export function verifyAsPeer({ peerId }: Identity, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return Promise.resolve(equalBytes(signAsPeer(peerId, message), signature));
}
