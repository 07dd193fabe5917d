/** Decoders of what validators send each other, of blocks and certificates, and of what they keep of them. */
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap, type Result } from '../../src/base/result.ts';
import type { HotstuffMessage, MessageKind } from '../../src/hotstuff/messages.ts';
import { decodeSafetyRecord, encodeSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { decodeStoredBlock, encodeStoredBlock, MAX_STORED_BLOCK_BYTES } from '../../src/hotstuff/stored-block.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE_BYTES } from '../../src/hotstuff/wire.ts';
import {
  decodeBlock,
  decodeHeader,
  decodeSealedBlock,
  decodeSealedHeader,
  encodeBlock,
  encodeSealedBlock,
  MAX_BLOCK_BYTES,
  MAX_HEADER_BYTES,
  MAX_SEAL_BYTES,
  peekBlockId,
} from '../../src/ledger/block.ts';
import { decodeCommitProof, encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { proposalPreimage, timeoutPreimage, votePreimage } from '../../src/qc/ballot.ts';
import { certificateCodec } from '../../src/qc/certificate.ts';
import { evidenceCodec, makeEvidence, type Evidence } from '../../src/qc/evidence.ts';
import { headStatementCodec } from '../../src/qc/head-statement.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { timeoutCertificateCodec } from '../../src/qc/timeout-certificate.ts';
import { decodeValidatorSet, encodeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';
import { ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { decodePeerFrame, eventFrames, messageFrame } from '../../src/node/peer-frame.ts';
import { chain as binding, CHAIN_ID, secretKey, validatorSet, voteFor } from '../qc/validators.ts';
import { hashOf, ledger, NOW_MS, signedEvents, signers } from './corpus.ts';
import { codecDecoder, decoder } from './decoder.ts';
import { traffic } from './traffic.ts';

const SEALED_BYTES = MAX_BLOCK_BYTES + MAX_SEAL_BYTES + 64;
const VALIDATOR_SET_BYTES = 32 + 128 * (64 + 48 + 8);
const KINDS: readonly MessageKind[] = [
  ...(['proposal', 'vote', 'timeout', 'certificate', 'timeoutCertificate', 'witness', 'blocks'] as const),
];

const chainId = (): string => traffic().driver.chain.chainId;
const sealedBlocks = () => [0, 1, 2, 3, 11].map((height) => ledger().sealedAt(height));

/** One of each kind, at least, and not so many of any that the others are seldom seen. */
const messages = (): readonly Uint8Array[] => KINDS.flatMap((kind) => traffic().encodings(kind).slice(0, 12));

/** What a message without a signature would be encoded to is not to be had: it is made to be signed. */
function encodedAgain(message: HotstuffMessage, bytes: Uint8Array): Uint8Array {
  return message.kind === 'proposal' && message.signature.length === 0 ? bytes : encodeMessage(message);
}

function certificates() {
  const { passed } = traffic();
  return passed.flatMap(({ message }) => (message.kind === 'certificate' ? [message.certificate] : [])).slice(0, 8);
}

function timeoutCertificates() {
  const { passed } = traffic();
  return passed.flatMap(({ message }) => (message.kind === 'timeoutCertificate' ? [message.certificate] : []));
}

function evidence(): readonly Evidence[] {
  const base = { epoch: 0, offender: 2 };
  const bls = (preimage: Uint8Array): Uint8Array => nativeScheme.sign(secretKey(2), preimage);
  const vote = (name: string) => {
    const ballot = voteFor(9, name);
    return { ballot, signature: bls(votePreimage(binding, ballot)) };
  };
  const timeout = (highRound: number) => {
    const ballot = { round: 9, highRound };
    return { ballot, signature: bls(timeoutPreimage(binding, ballot)) };
  };
  const proposal = (name: string) => {
    const ballot = { round: 9, blockId: hashOf(name) };
    return { ballot, signature: signers[0]?.sign(proposalPreimage(binding, ballot)) ?? utf8('') };
  };
  return [
    makeEvidence({ ...base, kind: 'votes', first: vote('a'), second: vote('b') }, CHAIN_ID),
    makeEvidence({ ...base, kind: 'timeouts', first: timeout(4), second: timeout(5) }, CHAIN_ID),
    makeEvidence({ ...base, kind: 'proposals', first: proposal('a'), second: proposal('b') }, CHAIN_ID),
  ];
}

/** Whoever decodes a set knows its digest; here whatever decodes is given its own. */
function decodeSetOfOwnDigest(bytes: Uint8Array): Result<ValidatorSet> {
  const first = decodeValidatorSet(bytes, ZERO_HASH);
  const own = first.ok ? undefined : first.refusal.details['digest'];
  return typeof own === 'string' ? decodeValidatorSet(bytes, own as Hash) : first;
}

export const consensusDecoders = [
  decoder({
    name: 'message',
    covers: ['hotstuff/wire.ts#decodeMessage', 'hotstuff/wire.ts#decodeStoredBlocks'],
    format: 'messagepack',
    maxBytes: MAX_MESSAGE_BYTES,
    samples: messages,
    decode(bytes) {
      const message = decodeMessage(chainId(), bytes);
      return message.ok ? { ok: true, value: encodedAgain(message.value, bytes) } : message;
    },
    encode: (again) => again,
  }),
  decoder({
    name: 'peer frame',
    covers: ['node/peer-frame.ts#decodePeerFrame'],
    format: 'bytes',
    maxBytes: MAX_MESSAGE_BYTES,
    isBoundedByCaller: true,
    samples: () => [
      ...messages().map(messageFrame),
      ...eventFrames(signedEvents(ledger().chainId).map(({ bytes }) => bytes)),
      ...eventFrames(Array.from({ length: 256 }, (_, i) => Uint8Array.of(i))),
    ],
    decode: decodePeerFrame,
    encode: (frame) =>
      frame.kind === 'message' ? messageFrame(frame.message) : (eventFrames(frame.events)[0] ?? Uint8Array.of(1, 0x90)),
  }),
  decoder({
    name: 'stored block',
    covers: ['hotstuff/stored-block.ts#decodeStoredBlock'],
    format: 'messagepack',
    maxBytes: MAX_STORED_BLOCK_BYTES,
    samples: () => traffic().storedBlocks,
    decode: (bytes) => decodeStoredBlock(chainId(), bytes),
    encode: encodeStoredBlock,
  }),
  decoder({
    name: 'safety record',
    covers: ['hotstuff/safety-record.ts#decodeSafetyRecord'],
    format: 'messagepack',
    maxBytes: 8192,
    samples: () => traffic().safetyRecords.slice(-60),
    decode: decodeSafetyRecord,
    encode: encodeSafetyRecord,
  }),
  decoder({
    name: 'header',
    covers: ['ledger/block.ts#decodeHeader'],
    format: 'messagepack',
    maxBytes: MAX_HEADER_BYTES,
    samples: () => sealedBlocks().map(({ block }) => block.headerBytes),
    decode: decodeHeader,
    encode: 'one-to-one',
  }),
  decoder({
    name: 'block',
    covers: ['ledger/block.ts#decodeBlock'],
    format: 'messagepack',
    maxBytes: MAX_BLOCK_BYTES,
    samples: () => sealedBlocks().map(({ block }) => encodeBlock(block)),
    decode: (bytes) => decodeBlock(ledger().chainId, bytes),
    encode: encodeBlock,
  }),
  decoder({
    name: 'sealed block',
    covers: ['ledger/block.ts#decodeSealedBlock'],
    format: 'messagepack',
    maxBytes: SEALED_BYTES,
    samples: () => sealedBlocks().map(encodeSealedBlock),
    decode: (bytes) => decodeSealedBlock(ledger().chainId, bytes),
    encode: encodeSealedBlock,
  }),
  decoder({
    name: 'announced block',
    covers: ['ledger/block.ts#decodeSealedHeader', 'ledger/block.ts#peekBlockId'],
    format: 'messagepack',
    maxBytes: SEALED_BYTES,
    samples: () => sealedBlocks().map(encodeSealedBlock),
    decode(bytes) {
      const id = peekBlockId(bytes);
      const header = decodeSealedHeader(ledger().chainId, bytes);
      // Gossip names a message by the first and verifies by the second.
      if (header.ok && id !== header.value.id) throw new TypeError(`another id: ${id} and ${header.value.id}`);
      return header;
    },
    encode: null,
  }),
  decoder({
    name: 'commit proof',
    covers: ['ledger/commit-proof.ts#decodeCommitProof'],
    format: 'messagepack',
    maxBytes: MAX_SEAL_BYTES,
    samples: () => [
      ...sealedBlocks().flatMap(({ seal }) => (seal.kind === 'hotstuff' ? [seal.bytes] : [])),
      ...traffic()
        .driver.node(0)
        .disk.sealed.slice(1)
        .map((bytes) => unwrap(decodeSealedBlock(chainId(), bytes)).seal.bytes),
    ],
    decode: decodeCommitProof,
    encode: encodeCommitProof,
  }),
  decoder({
    name: 'validator set',
    covers: ['qc/validator-set.ts#decodeValidatorSet'],
    format: 'messagepack',
    maxBytes: VALIDATOR_SET_BYTES,
    samples: () => [ledger().validators, ...[1, 4, 7, 16].map(validatorSet)].map(encodeValidatorSet),
    decode: decodeSetOfOwnDigest,
    encode: encodeValidatorSet,
  }),
  codecDecoder('certificate', 'qc/certificate.ts#certificateCodec', certificateCodec, () => [
    traffic().driver.chain.genesisCertificate,
    ...certificates(),
  ]),
  codecDecoder(
    'timeout certificate',
    'qc/timeout-certificate.ts#timeoutCertificateCodec',
    timeoutCertificateCodec,
    timeoutCertificates,
  ),
  codecDecoder('evidence', 'qc/evidence.ts#evidenceCodec', evidenceCodec, evidence),
  codecDecoder('head statement', 'qc/head-statement.ts#headStatementCodec', headStatementCodec, () =>
    [0, 1, 2, 3].map((signer) => ledger().headStatement(signer, NOW_MS + signer)),
  ),
];
