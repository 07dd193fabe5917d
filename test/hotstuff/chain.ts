/** A chain for tests: validators with known keys, a genesis, and nodes that submit events. */
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { signedEventFromJson } from '../../src/ledger/event.ts';
import { genesisState, type GenesisState } from '../../src/ledger/genesis-state.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { possessionPreimage } from '../../src/qc/ballot.ts';
import { genesisCertificate, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import { secretKeyFromSeed } from '../../src/qc/keys.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { makeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';
import { joinedFields, peerOf, START, submissionOf, type EventFields } from '../ledger/nodes.ts';
import { fastScheme } from './fast-scheme.ts';

export { peerOf, START };

export interface TestChain {
  readonly chainId: string;
  readonly depth: 2 | 3;
  readonly scheme: SignatureScheme;
  readonly validators: ValidatorSet;
  readonly genesis: GenesisState;
  readonly genesisCertificate: VerifiedCertificate;
  /** BLS secret key of each validator, by index. */
  readonly secretKeys: readonly Uint8Array[];
}

const chains = new Map<string, TestChain>();

/** Made once: a chain is a constant. */
export function testChain(n: number, depth: 2 | 3 = 2, scheme: SignatureScheme = fastScheme): TestChain {
  const name = `${scheme.name}-${n}-${depth}`;
  const known = chains.get(name);
  if (known !== undefined) return known;
  const keys = new Map<string, Uint8Array>();
  const registrations = Array.from({ length: n }, (_, i) => {
    const secretKey = secretKeyFromSeed(sha256(utf8(`validator ${i}`)));
    const peerId = peerOf(i);
    keys.set(peerId, secretKey);
    const blsPublicKey = scheme.publicKeyOf(secretKey);
    const proofOfPossession = scheme.sign(secretKey, possessionPreimage(peerId, blsPublicKey));
    return { peerId, blsPublicKey, proofOfPossession, multiaddrs: [] };
  });
  const validators = unwrap(makeValidatorSet(0, registrations, scheme));
  const genesis = genesisState({
    name: `test-${n}-${depth}`,
    timestamp: START,
    commitDepth: depth,
    parameters: DEFAULT_PARAMETERS,
    validators: registrations,
    records: [],
  });
  const chain: TestChain = {
    chainId: genesis.chainId,
    depth,
    scheme,
    validators,
    genesis,
    genesisCertificate: genesisCertificate(0, genesis.block.id),
    secretKeys: validators.members.map(({ peerId }) => keys.get(peerId) as Uint8Array),
  };
  chains.set(name, chain);
  return chain;
}

/** An identity signature that names its signer: the engine under test never makes or checks one itself. */
export function identitySignature(peerId: string, preimage: Uint8Array): Uint8Array {
  return Uint8Array.from(sha256(concatBytes(utf8(peerId), preimage)));
}

/** Signed by nobody, and branded as verified: signatures of events are not what these tests are about. */
export function eventOf(chainId: string, fields: EventFields): VerifiedEvent {
  return verifiedEvent(unwrap(signedEventFromJson(chainId, submissionOf(fields))), 'signature-checked');
}

/** The node's first event. @param time unix seconds */
export function joinOf(chain: TestChain, node: number, time = START): VerifiedEvent {
  return eventOf(chain.chainId, joinedFields(peerOf(1000 + node), 1, { time }));
}

/** A later event of the node: another version each time. */
export function changeOf(chain: TestChain, node: number, seq: number, time = START): VerifiedEvent {
  const peerId = peerOf(1000 + node);
  return eventOf(chain.chainId, { type: 'versionChanged', peerId, seq, version: `v0.8.${seq}`, time });
}
