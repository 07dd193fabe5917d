/** Valid encodings of everything that comes from outside, made once and always the same: real keys, real signatures. */
import { utf8 } from '../../src/base/bytes.ts';
import { sha256, sha256Hex, ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { decodeSignedEvent } from '../../src/ledger/event.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { encodeReadAnswer, type ReadAnswer } from '../../src/ledger/verified-read.ts';
import { identityKeyFromSecret, type IdentityKey } from '../../src/node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../src/node/sign-event.ts';
import { SealedChain } from '../ledger/chain.ts';
import { START } from '../ledger/nodes.ts';

export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export const NOW_MS = START * 1000;

export const signers: readonly IdentityKey[] = [1, 2, 3, 4, 5, 6].map((number) =>
  identityKeyFromSecret(number % 3 === 0 ? 'secp256k1' : 'ed25519', sha256(utf8(`fuzz ${number}`))),
);

const CAPABILITIES = { isTwitterScraper: true, isDiscordScraper: false, isTelegramScraper: true, isWebScraper: false };
const ADDRESSES = ['/dns4/node.example/tcp/4001', '/ip4/203.0.113.7/udp/4001/quic-v1', '/ip6/2001:db8::1/tcp/1'];

const OTHER = (signers[1] as IdentityKey).peerId;

const BODIES: readonly EventBody[] = [
  { type: 'joined', multiaddrs: ADDRESSES, version: 'v0.8.4', ...CAPABILITIES },
  { type: 'joined', multiaddrs: [], version: '1', ...CAPABILITIES },
  { type: 'left' },
  { type: 'addressesChanged', multiaddrs: ADDRESSES.slice(1) },
  { type: 'capabilitiesDeclared', ...CAPABILITIES },
  { type: 'capabilitiesDeclared', schema: 2, ...CAPABILITIES, isLlmServer: true },
  { type: 'joined', schema: 2, multiaddrs: ADDRESSES, version: 'v0.9.0', ...CAPABILITIES, isLlmServer: false },
  { type: 'versionChanged', version: 'v1.0.0-rc.1 (a b)' },
  { type: 'heartbeat' },
  { type: 'approved', proposal: sha256Hex(utf8('proposal')) },
  { type: 'evidenceRecorded', epoch: 0, offender: OTHER, evidence: 'AAECAwQF' },
  proposed({ kind: 'stakeStatusChanged', peerId: OTHER, isStaked: true, reference: 'sepolia 0x01' }),
  proposed({ kind: 'nodeRemoved', peerId: OTHER, reason: 'gone' }),
  proposed({ kind: 'workerTimeoutSet', peerId: OTHER, workerTimeout: START }),
  proposed({ kind: 'schemaActivated', schema: 2, fromHeight: 1_000_000 }),
  proposed({ kind: 'parametersChanged', parameters: { livenessWindowSeconds: 7200 } }),
];

function proposed(action: Extract<EventBody, { type: 'proposed' }>['action']): EventBody {
  return { type: 'proposed', action, epoch: 0, replaces: ZERO_HASH, expires: START + 3600 };
}

/** Every type of event, signed by keys of both types. @returns for a chain, as whoever submits them has them */
export function signedEvents(chainId: string): readonly OwnSignedEvent[] {
  return BODIES.flatMap((body, index) =>
    [0, 2].map((signer) => {
      const key = signers[(signer + index) % signers.length] as IdentityKey;
      return signEvent(key, chainId, { ...body, peerId: key.peerId, seq: 1 + index * 1000, time: START });
    }),
  );
}

/** Twelve blocks under real certificates, with events of real keys. */
export const ledger = lazily(() => {
  const chain = new SealedChain();
  for (const [index, key] of signers.entries()) {
    chain.commit([joinOf(chain, key, index)]);
    chain.commit([]);
  }
  return chain;
});

function joinOf(chain: SealedChain, key: IdentityKey, index: number): VerifiedEvent {
  const body = {
    type: 'joined',
    multiaddrs: ADDRESSES.slice(index % 3),
    version: `v${index}`,
    ...CAPABILITIES,
  } as const;
  const signed = signEvent(key, chain.chainId, { ...body, peerId: key.peerId, seq: 1, time: START });
  return verifiedEvent(unwrap(decodeSignedEvent(chain.chainId, signed.bytes)), 'signature-checked');
}

/** An answer about a node at a height, with statements of these validators about the heads that they had then. */
export function readAnswer(peerId: string, height: number, statements: readonly number[] = []): ReadAnswer {
  const chain = ledger();
  const { proof, value } = unwrap(chain.machine.proveAt(height, nodeKey(peerId)));
  const { block, seal } = chain.sealedAt(height);
  const headStatements = statements.map((signer) => chain.headStatement(signer, NOW_MS - 1000 * (signer + 1), block));
  return { value: value ?? null, proof, header: block.headerBytes, seal, epochProofs: [], headStatements };
}

/** Present and absent, early and late, with and without statements. */
export const readAnswers = lazily(() =>
  signers.flatMap(({ peerId }) =>
    [0, 1, 4, 9, 12].map((height, i) => {
      const statements = height === 0 || i % 2 === 0 ? [] : [0, 1, 3];
      return { peerId, height, bytes: encodeReadAnswer(readAnswer(peerId, height, statements)) };
    }),
  ),
);

export function hashOf(name: string): Hash {
  return sha256Hex(utf8(name));
}
